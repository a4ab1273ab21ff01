import { resolveHome } from '../config/base-directory.ts'
import { formatDuration } from '../platform/duration.ts'
import type { JobSchedule } from '../record/event.ts'
import { printable } from '../record/outcome-text.ts'
import type { FoundSchedule, Times } from '../schedule/found-schedule.ts'
import type { ImportReport } from '../schedule/import-schedules.ts'
import type { ImportOutcome, ImportStep } from '../schedule/plan-import.ts'

const OUTCOMES: Readonly<Record<ImportOutcome, string>> = {
  learnt: 'learnt',
  unchanged: 'unchanged',
  kept: 'kept',
  forgotten: 'forgotten',
  untold: 'cannot be told',
}

/**
 * What an import did, or would do: a line for each job, and one of counts.
 * @param env that of this shell, of which cron knows nothing
 */
export function describeImport(report: ImportReport, dryRun: boolean, env: NodeJS.ProcessEnv): string[] {
  const { steps, unwrapped, unnamed, elsewhere, unclear, unreadable } = report
  const counts = Object.entries(OUTCOMES).flatMap(([outcome, words]) =>
    counted(steps.filter((step) => step.outcome === outcome).length, words),
  )
  const others = [
    ...counted(unwrapped.length, 'not under cronwrap'),
    ...counted(unnamed.length, 'whose job cannot be told'),
    ...counted(elsewhere.length, 'recorded elsewhere'),
  ]
  const all = [...counts, ...others].join(', ') || 'nothing was found'
  return [
    ...steps.map(describeStep),
    ...elsewhere.map((each) => describeElsewhere(each, report.base, env)),
    ...unnamed.map((each) => `${each.where}: ${each.command}: ${UNNAMED}: ${each.unnamed}`),
    // Most of them are the system's own: doctor says what to do about those of the user.
    ...(unwrapped.length === 0 ? [] : [`not under cronwrap: ${unwrapped.map(({ where }) => where).join(', ')}`]),
    ...unclear.map(({ where, times }) => `${where}: ${reasonIn(times)}`),
    ...unreadable,
    `${all}${dryRun ? '; nothing was recorded' : ''}`,
  ].map(printable)
}

const UNNAMED = 'cronwrap is in it, but which job it records cannot be told'

function describeElsewhere(
  { where, wrapped, baseInShell }: FoundSchedule,
  base: string,
  env: NodeJS.ProcessEnv,
): string {
  const name = baseInShell === base ? variableBehind(base, env) : undefined
  const why = name === undefined ? '' : `: cron does not know this shell's ${name}: set it in the crontab`
  return `${where}: recorded elsewhere: ${wrapped?.job} in ${wrapped?.base}${why}`
}

/** The variable without which this would be another base directory. */
function variableBehind(base: string, env: NodeJS.ProcessEnv): string | undefined {
  return ['CRONWRAP_HOME', 'OPENCLAW_STATE_DIR', 'XDG_STATE_HOME'].find(
    (name) => resolveHome(undefined, { ...env, [name]: undefined }).base !== base,
  )
}

function describeStep({ job, outcome, schedule, where, reason }: ImportStep): string {
  const what = schedule === null ? '' : ` ${describeSchedule(schedule)}`
  const place = where.length === 0 ? '' : ` (${where.join(', ')})`
  return `${job}: ${OUTCOMES[outcome]}${what}${place}${reason === null ? '' : `: ${reason}`}`
}

/** `30 2 * * * Europe/Berlin, grace 10m`; the machine's own time zone is not named. */
export function describeSchedule({ expression, tz, grace_ms }: JobSchedule): string {
  return `${expression}${tz === null ? '' : ` ${tz}`}, grace ${formatDuration(grace_ms)}`
}

function counted(count: number, words: string): string[] {
  return count === 0 ? [] : [`${count} ${words}`]
}

/** The same for programs. */
export function importAsJson(
  { steps, unwrapped, unnamed, elsewhere, unclear, unreadable }: ImportReport,
  dryRun: boolean,
): object {
  return {
    dry_run: dryRun,
    jobs: steps,
    not_under_cronwrap: unwrapped.map(({ where, command }) => ({ where, command })),
    job_not_told: unnamed.map(({ where, command, unnamed: reason }) => ({ where, command, reason })),
    recorded_elsewhere: elsewhere.map(({ where, wrapped }) => ({ where, job: wrapped?.job, base: wrapped?.base })),
    not_understood: unclear.map(({ where, times }) => ({ where, reason: reasonIn(times) })),
    unreadable,
  }
}

function reasonIn(times: Times): string {
  return times.kind === 'times' ? '' : times.reason
}
