import { formatDuration } from '../platform/duration.ts'
import type { JobSchedule } from '../record/event.ts'
import { printable } from '../record/outcome-text.ts'
import type { Times } from '../schedule/found-schedule.ts'
import type { ImportReport } from '../schedule/import-schedules.ts'
import type { ImportOutcome, ImportStep } from '../schedule/plan-import.ts'

const OUTCOMES: Readonly<Record<ImportOutcome, string>> = {
  learnt: 'learnt',
  unchanged: 'unchanged',
  kept: 'kept',
  forgotten: 'forgotten',
  untold: 'cannot be told',
}

/** What an import did, or would do: a line for each job, and one of counts. */
export function describeImport(report: ImportReport, dryRun: boolean): string[] {
  const { steps, unwrapped, elsewhere, unclear, unreadable } = report
  const counts = Object.entries(OUTCOMES).flatMap(([outcome, words]) =>
    counted(steps.filter((step) => step.outcome === outcome).length, words),
  )
  const others = [
    ...counted(unwrapped.length, 'not under cronwrap'),
    ...counted(elsewhere.length, 'recorded elsewhere'),
  ]
  const all = [...counts, ...others].join(', ') || 'nothing was found'
  return [
    ...steps.map(describeStep),
    ...elsewhere.map(({ where, wrapped }) => `${where}: recorded elsewhere: ${wrapped?.job} in ${wrapped?.base}`),
    // Most of them are the system's own: doctor says what to do about those of the user.
    ...(unwrapped.length === 0 ? [] : [`not under cronwrap: ${unwrapped.map(({ where }) => where).join(', ')}`]),
    ...unclear.map(({ where, times }) => `${where}: ${reasonIn(times)}`),
    ...unreadable,
    `${all}${dryRun ? '; nothing was recorded' : ''}`,
  ].map(printable)
}

function describeStep({ job, outcome, schedule, where, reason }: ImportStep): string {
  const what = schedule === null ? '' : ` ${describeSchedule(schedule)}`
  const place = where.length === 0 ? '' : ` (${where.join(', ')})`
  return `${job}: ${OUTCOMES[outcome]}${what}${place}${reason === null ? '' : `: ${reason}`}`
}

function describeSchedule({ expression, tz, grace_ms }: JobSchedule): string {
  return `${expression}${tz === null ? '' : ` ${tz}`}, grace ${formatDuration(grace_ms)}`
}

function counted(count: number, words: string): string[] {
  return count === 0 ? [] : [`${count} ${words}`]
}

/** The same for programs. */
export function importAsJson(
  { steps, unwrapped, elsewhere, unclear, unreadable }: ImportReport,
  dryRun: boolean,
): object {
  return {
    dry_run: dryRun,
    jobs: steps,
    not_under_cronwrap: unwrapped.map(({ where, command }) => ({ where, command })),
    recorded_elsewhere: elsewhere.map(({ where, wrapped }) => ({ where, job: wrapped?.job, base: wrapped?.base })),
    not_understood: unclear.map(({ where, times }) => ({ where, reason: reasonIn(times) })),
    unreadable,
  }
}

function reasonIn(times: Times): string {
  return times.kind === 'times' ? '' : times.reason
}
