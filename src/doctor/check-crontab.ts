import { deriveJobId, isId } from '../config/job-id.ts'
import { errnoOf } from '../errors.ts'
import { explainUnusable } from '../platform/find-program.ts'
import { readJob } from '../openclaw/openclaw-job.ts'
import { findWrapped, needsShell, splitWords, type WrappedCommand } from '../openclaw/wrapped-command.ts'
import { quoteCommand } from '../record/outcome-text.ts'
import type { Finding } from './finding.ts'

/** What cron gives a job, unless the crontab says otherwise. */
const CRON_PATH = '/usr/bin:/bin'
const TIMEOUT_MS = 10_000

/** A line of a user's crontab that runs something. */
export interface CronLine {
  readonly command: string
  /** The PATH that the lines before it set, or cron's own. */
  readonly path: string
  readonly wrapped: WrappedCommand | null
  /** The job it records as; null when it does not run under cronwrap, or records elsewhere. */
  readonly job: string | null
}

export interface Crontab {
  readonly lines: readonly CronLine[]
  readonly findings: readonly Finding[]
}

/**
 * This user's crontab; empty where there is no crontab(1), or nothing in it.
 * @param base the base directory that is looked at
 */
export async function readCrontab(base: string): Promise<Crontab> {
  const { execa } = await import('execa')
  const options = { reject: false, stdin: 'ignore', timeout: TIMEOUT_MS } as const
  const { stdout, stderr, failed, timedOut, cause } = await execa('crontab', ['-l'], options)
  if (!failed) return { lines: parseCrontab(stdout, base), findings: [] }
  const isNone = stderr === '' || /no crontab/i.test(stderr)
  if (!timedOut && (isNone || errnoOf(cause) !== undefined)) return { lines: [], findings: [] }
  const seen = `the crontab cannot be read: ${stderr.trim() || 'crontab -l does not end'}`
  return {
    lines: [],
    findings: [finding('crontab-unreadable', 'warning', seen, 'its jobs are not looked at', 'crontab -l')],
  }
}

export function parseCrontab(text: string, base: string): CronLine[] {
  const variables: Record<string, string> = {}
  return text.split('\n').flatMap((line) => {
    const trimmed = line.trim()
    const [, name, value = ''] = /^(\w+)\s*=\s*(.*)$/.exec(trimmed) ?? []
    if (name !== undefined) variables[name] = value.replace(/^["']|["']$/g, '')
    if (trimmed === '' || trimmed.startsWith('#') || name !== undefined) return []
    const command = /^(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)$/.exec(trimmed)?.[1]
    if (command === undefined) return []
    const env = { ...variables, ...assignments(command) }
    const wrapped = wrappedIn(command, env)
    return [{ command, path: env['PATH'] ?? CRON_PATH, wrapped, job: wrapped?.base === base ? wrapped.job : null }]
  })
}

/** `NAME=value` before the command. */
function assignments(command: string): Record<string, string> {
  const words = splitWords(command)
  const first = words.findIndex((word) => !/^\w+=/.test(word))
  return Object.fromEntries(words.slice(0, first).map((word) => word.split(/=(.*)/s).slice(0, 2)))
}

function wrappedIn(command: string, env: Record<string, string>): WrappedCommand | null {
  const asJob = readJob({ id: 'crontab', payload: { kind: 'command', argv: ['sh', '-c', command], env } })
  return asJob === null ? null : findWrapped(asJob)
}

/** What keeps lines from running or from being recorded; of all lines, or of those of one job. */
export function checkCrontab(lines: readonly CronLine[], job: string | null): Finding[] {
  return lines
    .filter((line) => job === null || line.job === job)
    .flatMap((line) => [...unwrapped(line), ...unfindable(line), ...percent(line)])
}

function finding(id: string, severity: Finding['severity'], seen: string, means: string, next: string): Finding {
  return { id, severity, job: null, seen, means, next }
}

/** The program that cron's shell starts; empty where there is none of ours. */
export function starterOf(wrapped: WrappedCommand | null): string {
  return wrapped?.wrapper.find((word) => !/^\w+=/.test(word) && word !== 'exec') ?? ''
}

function unwrapped({ command, wrapped }: CronLine): Finding[] {
  if (wrapped !== null || /cronwrap|run-parts/.test(command)) return []
  const words = needsShell(command) ? ['sh', '-c', command] : splitWords(command)
  const name = deriveJobId(splitWords(command).filter((word) => !/^\w+=/.test(word)))
  const next = `crontab -e: ${quoteCommand(['cronwrap', '--job', isId(name) ? name : 'name', '--', ...words])}`
  return [finding('crontab-not-wrapped', 'note', `the crontab runs: ${command}`, 'nothing of it is on record', next)]
}

function unfindable({ command, path, wrapped }: CronLine): Finding[] {
  const program = starterOf(wrapped)
  if (program === '' || explainUnusable(program, { PATH: path }) === null) return []
  const where = program.includes('/') ? 'does not exist, or is no program' : `is not in the crontab's PATH=${path}`
  return [
    finding(
      'crontab-path',
      'error',
      `${program} ${where}: ${command}`,
      'the line fails with 127 at each tick',
      'crontab -e: name it with its full path',
    ),
  ]
}

function percent({ command, wrapped }: CronLine): Finding[] {
  if (wrapped === null || !/(?<!\\)%/.test(command)) return []
  const means = 'cron takes everything after % for standard input'
  return [
    finding('crontab-percent', 'warning', `an unescaped % in: ${command}`, means, String.raw`crontab -e: write \%`),
  ]
}
