import { basename } from 'node:path'
import { deriveJobId, isId } from '../config/job-id.ts'
import { parseDuration } from '../platform/duration.ts'
import type { OpenclawJob } from './openclaw-job.ts'

/** How an OpenClaw job runs cronwrap. */
export interface WrappedCommand {
  /** The job it records as. */
  readonly job: string
  readonly command: readonly string[]
  readonly timeoutMs: number | null
}

/** What an OpenClaw job runs through cronwrap; null when it does not. */
export function findWrapped(job: OpenclawJob): WrappedCommand | null {
  const words = wordsOf(job)
  const at = words.findIndex(isCronwrap)
  if (at === -1) return null
  const rest = words.slice(at + 1)
  const separator = rest.indexOf('--')
  if (separator === -1) return null
  const flags = rest.slice(0, separator)
  const command = rest.slice(separator + 1)
  const named = valueOf(flags, '--job') ?? job.env['CRONWRAP_JOB']
  return {
    job: named !== undefined && isId(named) ? named : deriveJobId(command),
    command,
    timeoutMs: durationOf(valueOf(flags, '--timeout') ?? job.env['CRONWRAP_TIMEOUT']),
  }
}

/** What it runs, as words: of a shell's command line, or of a message's line, those that a shell would see. */
export function wordsOf({ payload, argv, message }: OpenclawJob): readonly string[] {
  if (payload === 'command') return isShell(argv) ? splitWords(argv.at(-1) ?? '') : argv
  const lines = message.replaceAll('`', ' ').split('\n').map(splitWords)
  return lines.find((words) => words.some(isCronwrap)) ?? []
}

/** `sh -c` or `bash -lc` with one line. */
export function isShell(argv: readonly string[]): boolean {
  return argv.length === 3 && /^(?:ba|da|z)?sh$/.test(basename(argv[0] ?? '')) && /^-[a-z]*c$/.test(argv[1] ?? '')
}

function isCronwrap(word: string): boolean {
  return /^cronwrap(?:\.js)?$/.test(basename(word))
}

function valueOf(flags: readonly string[], name: string): string | undefined {
  const joined = flags.find((flag) => flag.startsWith(`${name}=`))
  if (joined !== undefined) return joined.slice(name.length + 1)
  const at = flags.indexOf(name)
  return at === -1 ? undefined : flags[at + 1]
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
