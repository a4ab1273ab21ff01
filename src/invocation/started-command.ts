import { basename } from 'node:path'
import { assignmentsIn, mayStandBefore, readInvocation, type WrappedCommand } from './wrapped-command.ts'
import { stepsOf } from './shell-line.ts'

/** What a scheduler starts, as far as it concerns cronwrap. */
export interface StartedCommand {
  /** How it runs under cronwrap; null when it does not, or when nobody can tell. */
  readonly wrapped: WrappedCommand | null
  /** Why it cannot be told which job it records, where cronwrap is in it. */
  readonly unnamed: string | null
  /** That reason is that cronwrap refuses its options, and runs nothing. */
  readonly isRefused: boolean
  readonly isConditional: boolean
  /** How long it sleeps before the job; null where that is known to the shell only. */
  readonly delayMs: number | null
  /** Other jobs that the same line runs afterwards. */
  readonly followers: readonly WrappedCommand[]
}

/** What a user finds in the environment. */
export type EnvironmentOf = (user: string | null) => NodeJS.ProcessEnv

export const NOT_OURS: StartedCommand = {
  wrapped: null,
  unnamed: null,
  isRefused: false,
  isConditional: false,
  delayMs: 0,
  followers: [],
}

/** Reads a line that a shell gets. */
export function readShellLine(line: string, env: NodeJS.ProcessEnv, environmentOf: EnvironmentOf): StartedCommand {
  const steps = stepsOf(line, env)
  if (steps === null) return unnamedIn([line], 'the line uses more of a shell than cronwrap reads')
  const found = steps.map((step): StartedCommand => {
    const inner = readStarted(step.words, step.env, environmentOf)
    const delayMs = step.delayMs === null || inner.delayMs === null ? null : step.delayMs + inner.delayMs
    return { ...inner, isConditional: step.isConditional || inner.isConditional, delayMs }
  })
  const [first, ...more] = found.filter(({ wrapped }) => wrapped !== null)
  if (first === undefined) return found.find(({ unnamed }) => unnamed !== null) ?? NOT_OURS
  const later = more.flatMap(({ wrapped, followers }) => (wrapped === null ? [] : [wrapped, ...followers]))
  return { ...first, followers: [...first.followers, ...later] }
}

/** Reads the words of a command: those of a shell or of sudo hold another one. */
export function readStarted(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  environmentOf: EnvironmentOf,
): StartedCommand {
  const at = words.findIndex(
    (word, index) => SHELL.test(basename(word)) || SUDO.test(basename(word)) || !mayStandBefore(word, index),
  )
  const before = words.slice(0, at + 1)
  const rest = words.slice(at + 1)
  const name = at === -1 ? '' : basename(words[at] ?? '')
  if (SHELL.test(name)) {
    const flag = rest.findIndex((word) => !/^-(?!\w*c$)/.test(word))
    const line = /^-\w*c$/.test(rest[flag] ?? '') ? rest[flag + 1] : undefined
    if (line === undefined) return unnamedIn(words, NOT_FIRST)
    const inner = readShellLine(line, { ...env, ...assignmentsIn(before) }, environmentOf)
    return startedBy([...before, ...rest.slice(0, flag + 1)], inner)
  }
  if (SUDO.test(name)) {
    const { end, user, keepsAll } = sudoOptions(rest)
    // sudo passes no variable on; the home is that of the user it becomes.
    const inner = readStarted(rest.slice(end), keepsAll ? env : environmentOf(user), environmentOf)
    return startedBy([...before, ...rest.slice(0, end)], inner)
  }
  const invoked = readInvocation(words, env)
  if (invoked.kind === 'job') return { ...NOT_OURS, wrapped: invoked.wrapped }
  if (invoked.kind === 'refused' || invoked.kind === 'unsure')
    return { ...NOT_OURS, unnamed: invoked.reason, isRefused: invoked.kind === 'refused' }
  return invoked.kind === 'own' ? NOT_OURS : unnamedIn(words, NOT_FIRST)
}

const SHELL = /^(?:ba|da|z)?sh$/
const SUDO = /^(?:sudo|doas)$/
const NOT_FIRST = 'another program starts it'

/** cronwrap as a word of its own, or at the end of a path. */
const MENTIONS = /(?:^|[\s/;&|(){}"'`=])cronwrap(?:\.js)?(?=$|[\s;&|()"'`])/

function unnamedIn(words: readonly string[], reason: string): StartedCommand {
  return MENTIONS.test(words.join(' ')) ? { ...NOT_OURS, unnamed: reason } : NOT_OURS
}

function startedBy(before: readonly string[], inner: StartedCommand): StartedCommand {
  const { wrapped } = inner
  return wrapped === null ? inner : { ...inner, wrapped: { ...wrapped, through: [...before, ...wrapped.through] } }
}

interface SudoOptions {
  /** Where the command begins. */
  readonly end: number
  readonly user: string
  readonly keepsAll: boolean
}

const LONG_WITH_VALUE = /^--(user|group|host|prompt|chdir|role|type)(=.*)?$/

function sudoOptions(words: readonly string[]): SudoOptions {
  let [end, user, keepsAll] = [0, 'root', false]
  for (; words[end]?.startsWith('-') === true; end++) {
    const word = words[end] ?? ''
    // Of `-inu` it is the first letter that takes a value which takes the rest.
    const [, name = '', value = ''] = /^-[A-Za-z]*?([ughpCrtTUDR])(.*)$/.exec(word) ?? LONG_WITH_VALUE.exec(word) ?? []
    const given = name === '' ? '' : value.replace(/^=/, '') || (words[++end] ?? '')
    if (name === 'u' || name === 'user') user = given
    keepsAll ||= /^(?:-[A-Za-z]*E|--preserve-env)$/.test(word)
    if (word === '--') return { end: end + 1, user, keepsAll }
  }
  return { end, user, keepsAll }
}
