import { basename } from 'node:path'
import { resolveHome } from '../config/base-directory.ts'
import { COMMAND_NAMES } from '../config/command-names.ts'
import { resolveRunOptions } from '../config/resolve-run-options.ts'
import { deriveJobId } from '../config/job-id.ts'
import { RUN_OPTIONS } from '../config/option-specs.ts'
import type { RunOptions } from '../config/run-options.ts'
import { messageOf } from '../errors.ts'
import type { OpenclawJob } from './openclaw-job.ts'

/** How an OpenClaw job, a line of a crontab or a service of systemd runs cronwrap. */
export interface WrappedCommand {
  /** The job it records as. */
  readonly job: string
  /** The base directory it records in. */
  readonly base: string
  /** cronwrap, and what starts it, as the job names it. */
  readonly wrapper: readonly string[]
  /** cronwrap's options. */
  readonly flags: readonly string[]
  readonly command: readonly string[]
  /** Its options with those of the environment and of cronwrap.json. */
  readonly options: RunOptions
  /** How long all attempts and the waits between them may take together; null for ever. */
  readonly longestMs: number | null
}

/** What an OpenClaw job runs through cronwrap; null when it does not. */
export function findWrapped(job: OpenclawJob): WrappedCommand | null {
  const found = invocation(job)
  if (found === null) return null
  try {
    return resolved(found, { ...surroundings(), ...job.env })
  } catch {
    return null // cronwrap would refuse it, and run nothing.
  }
}

export type Invoked =
  | { readonly kind: 'job'; readonly wrapped: WrappedCommand }
  /** cronwrap, but no job: `cronwrap status`. */
  | { readonly kind: 'own' }
  /** cronwrap would refuse it, or what it records is known to the shell only. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'none' }

/** What the words of a command run through cronwrap in this environment. A `$` in them was not expanded. */
export function readInvocation(words: readonly string[], env: NodeJS.ProcessEnv): Invoked {
  const found = invocationIn(words)
  if (found === null) return { kind: 'none' }
  if (found.isOwn) return { kind: 'own' }
  try {
    const wrapped = resolved(found, env)
    const unsure = [wrapped.base, derivedFrom(wrapped.job, found.command)].find((text) => /[$`]/.test(text))
    if (unsure === undefined) return { kind: 'job', wrapped }
    return { kind: 'refused', reason: `${unsure} is known to the shell only` }
  } catch (error) {
    return { kind: 'refused', reason: messageOf(error) }
  }
}

/** The word that gave the job its name, where the shell makes another one of it; else the name. */
function derivedFrom(job: string, command: readonly string[]): string {
  const otherwise = deriveJobId(command.map((word) => word.replace(/[$`]/g, 'x')))
  const isDerived = job === deriveJobId(command) && job !== otherwise
  return isDerived ? (command.find((word) => /[$`]/.test(word)) ?? job) : job
}

/** Our environment, which is taken for that of a job of ours, as far as it does not speak of one job. */
export function surroundings(): NodeJS.ProcessEnv {
  return { ...process.env, CRONWRAP_JOB: undefined, CRONWRAP_JOB_ID: undefined }
}

/** @throws CronwrapError where cronwrap would refuse it */
function resolved({ wrapper, flags, command }: Invocation, surrounding: NodeJS.ProcessEnv): WrappedCommand {
  const env = { ...surrounding, ...assignmentsIn(wrapper) }
  const settings = readFlags(flags)
  const home = resolveHome(settings.get('home'), env)
  const { job: name, options } = resolveRunOptions(settings, command, env, home)
  return { job: name, base: home.base, wrapper, flags, command, options, longestMs: longestMs(options) }
}

/** `NAME=value` among what stands before cronwrap. */
export function assignmentsIn(wrapper: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    wrapper.filter((word) => /^\w+=/.test(word)).map((word) => word.split(/=(.*)/s).slice(0, 2)),
  ) as Record<string, string>
}

/** The sum of what a job with retries may take at most. */
function longestMs({ timeoutMs, killAfterMs, retries, retryDelayMs, jitterMs, drainMs }: RunOptions): number | null {
  if (timeoutMs === null || timeoutMs === 0) return null
  return (retries + 1) * (timeoutMs + killAfterMs + drainMs) + waitsMs(retries, retryDelayMs) + jitterMs
}

/** The waits between the attempts: each twice as long as the one before. */
export function waitsMs(retries: number, retryDelayMs: number): number {
  return retryDelayMs * (2 ** retries - 1)
}

interface Invocation {
  readonly wrapper: readonly string[]
  readonly flags: readonly string[]
  readonly command: readonly string[]
  /** `cronwrap status` runs no job. */
  readonly isOwn: boolean
}

function invocation({ payload, argv, message }: OpenclawJob): Invocation | null {
  if (payload !== 'command') {
    // In prose, cronwrap is also a word: only with an option or `--` it is a command.
    const text = message.replaceAll('\\\n', ' ').replaceAll('`', '\n')
    const line = /(?:^|\s)((?:\S*\/)?cronwrap(?:\.js)?[ \t]+(?:run[ \t]+)?-[^\n]*)/.exec(text)?.[1]
    return line === undefined ? null : jobIn(splitWords(line))
  }
  const line = shellLine(argv)
  if (line === null) return jobIn(argv)
  const found = line.split(/&&|\|\||[;|\n]/).map((part) => jobIn(splitWords(part)))
  return found.find((each) => each !== null) ?? null
}

function jobIn(words: readonly string[]): Invocation | null {
  const found = invocationIn(words)
  return found === null || found.isOwn ? null : found
}

/** What may stand before cronwrap: settings, programs that start another one, their options, and a file for flock. */
export function mayStandBefore(word: string, at: number): boolean {
  if (/^(?:\w+=|-|[\d.]+[smh]?$)/.test(word) || (at > 0 && word.startsWith('/'))) return true
  return /^(?:node|npx|env|timeout|nice|ionice|flock|chronic|sudo|exec|nohup|setsid|time|command|stdbuf)$/.test(
    basename(word),
  )
}

function invocationIn(words: readonly string[]): Invocation | null {
  const at = words.findIndex((word) => /^cronwrap(?:\.js)?$/.test(basename(word)))
  if (at === -1 || !words.slice(0, at).every(mayStandBefore)) return null
  const rest = words.slice(at + 1)
  const start = rest[0] === 'run' ? 1 : 0
  let end = start
  while (end < rest.length && (rest[end] ?? '').startsWith('-') && rest[end] !== '--')
    end += takesValue(rest[end] ?? '') ? 2 : 1
  const isMarked = rest[end] === '--'
  const command = rest.slice(isMarked ? end + 1 : end)
  const isOwn = command.length === 0 || (!isMarked && start === 0 && COMMAND_NAMES.includes(command[0] ?? ''))
  return { wrapper: words.slice(0, at + 1), flags: rest.slice(start, end), command, isOwn }
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
  return /[;&|<>()$*?[\]{}~#!\n`]|^\s*\w+=|^\s*(?:exec|\.|source|cd|export|ulimit|umask|time|eval|command|set|if|for|while)\s/.test(
    line,
  )
}

function takesValue(flag: string): boolean {
  if (flag.includes('=')) return false
  const name = flag.slice(2)
  return ['job', 'home'].includes(name) || (RUN_OPTIONS.get(name)?.placeholder ?? null) !== null
}

function readFlags(flags: readonly string[]): Map<string, string> {
  const values = new Map<string, string>()
  for (let at = 0; at < flags.length; at++) {
    const [name = '', value] = (flags[at] ?? '').replace(/^--/, '').split(/=(.*)/s)
    values.set(name, value ?? (takesValue(flags[at] ?? '') ? (flags[++at] ?? '') : 'true'))
  }
  return values
}

/** The same options with this one set. */
export function withFlag(flags: readonly string[], name: string, value: string): string[] {
  const at = flags.indexOf(name)
  const others = flags.filter(
    (flag, index) => !flag.startsWith(`${name}=`) && !(at !== -1 && (index === at || index === at + 1)),
  )
  return [...others, name, value]
}

/** Words as a shell splits them, as far as quotes and backslashes go; nothing is expanded. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g)].map(([word]) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_, double?: string, single?: string, escaped?: string) =>
      double === undefined ? (single ?? escaped ?? '') : double.replace(/\\(["\\$`])/g, '$1'),
    ),
  )
}
