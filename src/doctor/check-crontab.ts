import { deriveJobId, isId } from '../config/job-id.ts'
import { errnoOf } from '../errors.ts'
import { explainUnusable } from '../platform/find-program.ts'
import { readJob } from '../openclaw/openclaw-job.ts'
import { findWrapped, needsShell, splitWords } from '../openclaw/wrapped-command.ts'
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
  /** The job it records as; null when it does not run under cronwrap. */
  readonly job: string | null
}

export interface Crontab {
  readonly lines: readonly CronLine[]
  readonly findings: readonly Finding[]
}

/** This user's crontab; empty where there is no crontab(1), or nothing in it. */
export async function readCrontab(): Promise<Crontab> {
  const { execa } = await import('execa')
  const options = { reject: false, stdin: 'ignore', timeout: TIMEOUT_MS } as const
  const { stdout, stderr, failed, timedOut, cause } = await execa('crontab', ['-l'], options)
  if (!failed) return { lines: parseCrontab(stdout), findings: [] }
  const isNone = stderr === '' || /no crontab/i.test(stderr)
  if (!timedOut && (isNone || errnoOf(cause) !== undefined)) return { lines: [], findings: [] }
  const seen = `the crontab cannot be read: ${stderr.trim() || 'crontab -l does not end'}`
  return {
    lines: [],
    findings: [finding('crontab-unreadable', 'warning', seen, 'its jobs are not looked at', 'crontab -l')],
  }
}

export function parseCrontab(text: string): CronLine[] {
  let path = CRON_PATH
  return text.split('\n').flatMap((line) => {
    const trimmed = line.trim()
    const variable = /^(\w+)\s*=\s*(.*)$/.exec(trimmed)
    if (variable?.[1] === 'PATH') path = (variable[2] ?? '').replace(/^["']|["']$/g, '')
    if (trimmed === '' || trimmed.startsWith('#') || variable !== null) return []
    const command = /^(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)$/.exec(trimmed)?.[1]
    return command === undefined ? [] : [{ command, path, job: jobOf(command) }]
  })
}

function jobOf(command: string): string | null {
  const asMessage = readJob({ id: 'crontab', payload: { kind: 'agentTurn', message: command } })
  return asMessage === null ? null : (findWrapped(asMessage)?.job ?? null)
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

function unwrapped({ command, job }: CronLine): Finding[] {
  if (job !== null || /cronwrap|run-parts/.test(command)) return []
  const words = needsShell(command) ? ['sh', '-c', command] : splitWords(command)
  const name = deriveJobId(splitWords(command).filter((word) => !/^\w+=/.test(word)))
  const next = `crontab -e: ${quoteCommand(['cronwrap', '--job', isId(name) ? name : 'name', '--', ...words])}`
  return [finding('crontab-not-wrapped', 'note', `the crontab runs: ${command}`, 'nothing of it is on record', next)]
}

function unfindable({ command, path, job }: CronLine): Finding[] {
  const program = splitWords(command).find((word) => !/^\w+=/.test(word)) ?? ''
  if (job === null || needsShell(program) || explainUnusable(program, { PATH: path }) === null) return []
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

function percent({ command }: CronLine): Finding[] {
  if (!/(?<!\\)%/.test(command)) return []
  const means = 'cron takes everything after % for standard input'
  return [
    finding('crontab-percent', 'warning', `an unescaped % in: ${command}`, means, String.raw`crontab -e: write \%`),
  ]
}
