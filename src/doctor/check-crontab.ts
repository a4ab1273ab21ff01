import { deriveJobId, isId } from '../config/job-id.ts'
import { explainUnusable } from '../platform/find-program.ts'
import { mainCommandOf } from '../invocation/shell-line.ts'
import { needsShell, splitWords } from '../invocation/shell-words.ts'
import { startersOf, type WrappedCommand } from '../invocation/wrapped-command.ts'
import { quoteCommand } from '../record/outcome-text.ts'
import { readUserCrontab } from '../schedule/crontab-files.ts'
import { parseCrontab, type CronLine } from '../schedule/crontab.ts'
import { environmentOf } from '../invocation/user-environment.ts'
import type { Finding } from './finding.ts'

/** A line of this user's crontab that runs something. */
export interface UserLine extends CronLine {
  /** The job it records as; null when it does not run under cronwrap, or records elsewhere. */
  readonly job: string | null
}

export interface Crontab {
  readonly lines: readonly UserLine[]
  readonly findings: readonly Finding[]
}

/**
 * This user's crontab; empty where there is no crontab(1), or nothing in it.
 * @param base the base directory that is looked at
 */
export async function readCrontab(base: string): Promise<Crontab> {
  const crontab = await readUserCrontab()
  if (crontab.kind === 'text') return { lines: userLines(crontab.text, base), findings: [] }
  if (crontab.kind === 'none') return { lines: [], findings: [] }
  const seen = `the crontab cannot be read: ${crontab.reason}`
  return {
    lines: [],
    findings: [finding('crontab-unreadable', 'warning', seen, 'its jobs are not looked at', 'crontab -l')],
  }
}

/**
 * Lines as this shell would run them, not as cron does: who looks at a base directory that only a variable of this shell
 * names looks for the jobs that should record there, and hears that they never ran. Where cron lets them record
 * instead `schedule import` tells.
 */
export function userLines(text: string, base: string): UserLine[] {
  return parseCrontab(text, { name: 'crontab', form: 'user', environmentOf })
    .filter(({ command }) => command !== '')
    .map((line) => ({ ...line, job: line.wrapped?.base === base ? line.wrapped.job : null }))
}

/** What keeps lines from running or from being recorded; of all lines, or of those of one job. */
export function checkCrontab(lines: readonly UserLine[], job: string | null): Finding[] {
  return lines
    .filter((line) => job === null || line.job === job)
    .flatMap((line) => [...unwrapped(line), ...refused(line), ...unfindable(line), ...percent(line)])
}

function finding(id: string, severity: Finding['severity'], seen: string, means: string, next: string): Finding {
  return { id, severity, job: null, seen, means, next }
}

/** The program that cron's shell starts; empty where there is none of ours. */
export function starterOf(wrapped: WrappedCommand | null): string {
  return startersOf(wrapped).find((word) => !/^\w+=/.test(word) && word !== 'exec') ?? ''
}

function unwrapped({ written, command, wrapped }: CronLine): Finding[] {
  if (wrapped !== null || /cronwrap|run-parts/.test(written)) return []
  const words = needsShell(written) ? ['sh', '-c', written] : splitWords(written)
  const name = deriveJobId(mainCommandOf(command) ?? splitWords(command))
  const next = `crontab -e: ${quoteCommand(['cronwrap', '--job', isId(name) ? name : 'name', '--', ...words])}`
  return [finding('crontab-not-wrapped', 'note', `the crontab runs: ${written}`, 'nothing of it is on record', next)]
}

function refused({ written, unnamed, isRefused }: CronLine): Finding[] {
  if (isRefused !== true) return []
  const means = 'the line fails with 125 at each tick, and nothing is on record'
  return [finding('crontab-refused', 'error', `cronwrap refuses a line: ${unnamed}: ${written}`, means, 'crontab -e')]
}

function unfindable({ written, path, wrapped }: CronLine): Finding[] {
  const program = starterOf(wrapped)
  if (program === '' || explainUnusable(program, { PATH: path }) === null) return []
  const where = program.includes('/') ? 'does not exist, or is no program' : `is not in the crontab's PATH=${path}`
  return [
    finding(
      'crontab-path',
      'error',
      `${program} ${where}: ${written}`,
      'the line fails with 127 at each tick',
      'crontab -e: name it with its full path',
    ),
  ]
}

function percent({ written, hasInput, wrapped }: CronLine): Finding[] {
  // What cron cuts off may be all of cronwrap.
  if (!hasInput || (wrapped === null && !/\bcronwrap\b/.test(written))) return []
  const means = 'cron takes everything after % for standard input'
  return [
    finding('crontab-percent', 'warning', `an unescaped % in: ${written}`, means, String.raw`crontab -e: write \%`),
  ]
}
