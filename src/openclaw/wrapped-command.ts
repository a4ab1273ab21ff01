import { basename } from 'node:path'
import { deriveJobId, isId } from '../config/job-id.ts'
import { RUN_OPTIONS } from '../config/run-options.ts'
import { parseDuration } from '../platform/duration.ts'
import type { OpenclawJob } from './openclaw-job.ts'

/** How an OpenClaw job runs cronwrap. */
export interface WrappedCommand {
  /** The job it records as. */
  readonly job: string
  /** cronwrap, and what starts it, as the job names it. */
  readonly wrapper: readonly string[]
  /** cronwrap's options. */
  readonly flags: readonly string[]
  readonly command: readonly string[]
  readonly timeoutMs: number | null
  /** How long all attempts may take together; null for ever. */
  readonly longestMs: number | null
}

const DEFAULT_KILL_AFTER_MS = 10_000

/** What an OpenClaw job runs through cronwrap; null when it does not. */
export function findWrapped(job: OpenclawJob): WrappedCommand | null {
  const words = wordsOf(job)
  const at = words.findIndex(isCronwrap)
  if (at === -1) return null
  const { flags, command } = splitFlags(words.slice(at + 1))
  if (command.length === 0) return null
  const setting = (name: string): string | undefined =>
    valueOf(flags, `--${name}`) ?? job.env[`CRONWRAP_${name.toUpperCase().replaceAll('-', '_')}`]
  const named = setting('job')
  const timeoutMs = durationOf(setting('timeout')) || null
  const attempts = 1 + (Number(setting('retries')) || 0)
  const killAfterMs = durationOf(setting('kill-after')) ?? DEFAULT_KILL_AFTER_MS
  return {
    job: named !== undefined && isId(named) ? named : deriveJobId(command),
    wrapper: words.slice(0, at + 1),
    flags,
    command,
    timeoutMs,
    longestMs: timeoutMs === null ? null : attempts * (timeoutMs + killAfterMs),
  }
}

/** What it runs, as words: of a shell's command line, or of a message, those from `cronwrap` to the end of its line. */
export function wordsOf({ payload, argv, message }: OpenclawJob): readonly string[] {
  if (payload === 'command') {
    const line = shellLine(argv)
    return line === null ? argv : splitWords(line)
  }
  const text = message.replaceAll('\\\n', ' ').replaceAll('`', '\n')
  const line = /(?:^|\s)((?:\S*\/)?cronwrap(?:\.js)?[ \t][^\n]*)/.exec(text)?.[1]
  return line === undefined ? [] : splitWords(line)
}

/** The line of `sh -c` or `/usr/bin/env bash -lc`; null for another command. */
export function shellLine(argv: readonly string[]): string | null {
  const words = basename(argv[0] ?? '') === 'env' ? argv.slice(1) : argv
  const isShell =
    words.length === 3 && /^(?:ba|da|z)?sh$/.test(basename(words[0] ?? '')) && /^-[a-z]*c$/.test(words[1] ?? '')
  return isShell ? (words[2] ?? '') : null
}

/** Whether a shell makes more of the line than words. */
export function needsShell(line: string): boolean {
  return /[;&|<>()$*?[\]~\n`]|^\s*\w+=/.test(line)
}

function isCronwrap(word: string): boolean {
  return /^cronwrap(?:\.js)?$/.test(basename(word))
}

/** The options end at `--`, or at the first word that is none. */
function splitFlags(words: readonly string[]): { flags: readonly string[]; command: readonly string[] } {
  const rest = words[0] === 'run' ? words.slice(1) : words
  let at = 0
  while (at < rest.length && (rest[at] ?? '').startsWith('-') && rest[at] !== '--')
    at += takesValue(rest[at] ?? '') ? 2 : 1
  return { flags: rest.slice(0, at), command: rest.slice(rest[at] === '--' ? at + 1 : at) }
}

function takesValue(flag: string): boolean {
  if (flag.includes('=')) return false
  const name = flag.slice(2)
  return ['job', 'home'].includes(name) || (RUN_OPTIONS.get(name)?.placeholder ?? null) !== null
}

function valueOf(flags: readonly string[], name: string): string | undefined {
  const joined = flags.find((flag) => flag.startsWith(`${name}=`))
  if (joined !== undefined) return joined.slice(name.length + 1)
  const at = flags.indexOf(name)
  return at === -1 ? undefined : flags[at + 1]
}

/** The same options with this one set. */
export function withFlag(flags: readonly string[], name: string, value: string): string[] {
  const at = flags.indexOf(name)
  const others = flags.filter(
    (flag, index) => !flag.startsWith(`${name}=`) && !(at !== -1 && (index === at || index === at + 1)),
  )
  return [...others, name, value]
}

function durationOf(text: string | undefined): number | null {
  try {
    return text === undefined ? null : parseDuration(text)
  } catch {
    return null // cronwrap refuses it too.
  }
}

/** Words as a shell splits them, as far as quotes and backslashes go; nothing is expanded. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g)].map(([word]) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_, double?: string, single?: string, escaped?: string) =>
      double === undefined ? (single ?? escaped ?? '') : double.replace(/\\(["\\$`])/g, '$1'),
    ),
  )
}
