import { basename } from 'node:path'
import { readAsked, type AskedRun } from '../config/asked.ts'
import { resolveHome } from '../config/base-directory.ts'
import { resolveRunOptions } from '../config/resolve-run-options.ts'
import { deriveJobId } from '../config/job-id.ts'
import type { RunOptions } from '../config/run-options.ts'
import { messageOf } from '../errors.ts'

/** How a job of OpenClaw, a line of a crontab or a service of systemd runs cronwrap. */
export interface WrappedCommand {
  /** The job it records as. */
  readonly job: string
  /** The base directory it records in. */
  readonly base: string
  /** The shell or the sudo, with its options, whose command it is; mostly none. */
  readonly through: readonly string[]
  /** cronwrap, and what stands before it in its command. */
  readonly wrapper: readonly string[]
  /** cronwrap's options. */
  readonly flags: readonly string[]
  readonly command: readonly string[]
  /** Its options with those of the environment and of cronwrap.json. */
  readonly options: RunOptions
  /** How long all attempts and the waits between them may take together; null for ever. */
  readonly longestMs: number | null
}

export type Invoked =
  | { readonly kind: 'job'; readonly wrapped: WrappedCommand }
  /** cronwrap, but no job: `cronwrap status`. */
  | { readonly kind: 'own' }
  /** cronwrap would refuse it, and run nothing. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** What it records is known to the shell only. */
  | { readonly kind: 'unsure'; readonly reason: string }
  | { readonly kind: 'none' }

/** What the words of a command run through cronwrap in this environment. A `$` in them was not expanded. */
export function readInvocation(words: readonly string[], env: NodeJS.ProcessEnv): Invoked {
  const at = words.findIndex((word) => /^cronwrap(?:\.js)?$/.test(basename(word)))
  if (at === -1 || !words.slice(0, at).every(mayStandBefore)) return { kind: 'none' }
  try {
    const asked = readAsked(words.slice(at + 1))
    if (asked.kind === 'own' || asked.command.length === 0) return { kind: 'own' }
    const wrapped = resolved(words.slice(0, at + 1), asked, env)
    const unsure = [wrapped.base, derivedFrom(wrapped.job, asked.command)].find((text) => /[$`]/.test(text))
    if (unsure === undefined) return { kind: 'job', wrapped }
    return { kind: 'unsure', reason: `${unsure} is known to the shell only` }
  } catch (error) {
    const isUnsure = words.some((word) => /[$`]/.test(word))
    return { kind: isUnsure ? 'unsure' : 'refused', reason: messageOf(error) }
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
function resolved(
  wrapper: readonly string[],
  { flags, flagWords, command }: AskedRun,
  surrounding: NodeJS.ProcessEnv,
): WrappedCommand {
  const env = { ...surrounding, ...assignmentsIn(wrapper) }
  const home = resolveHome(flags.get('home'), env)
  const { job, options } = resolveRunOptions(flags, command, env, home)
  return {
    job,
    base: home.base,
    through: [],
    wrapper,
    flags: flagWords,
    command,
    options,
    longestMs: longestMs(options),
  }
}

/** All that stands before cronwrap, and cronwrap. */
export function startersOf(wrapped: WrappedCommand | null): readonly string[] {
  return wrapped === null ? [] : [...wrapped.through, ...wrapped.wrapper]
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

/** What may stand before cronwrap: what starts another program, and a file for flock. */
export function mayStandBefore(word: string, at: number): boolean {
  return startsAnother(word) || (at > 0 && word.startsWith('/'))
}

/** Settings, programs that start another one, and their options. */
export function startsAnother(word: string): boolean {
  if (/^(?:\w+=|-|[\d.]+[smh]?$)/.test(word)) return true
  return /^(?:node|npx|env|timeout|nice|ionice|flock|chronic|sudo|exec|nohup|setsid|time|command|stdbuf)$/.test(
    basename(word),
  )
}
