import { toWholeSeconds } from '../platform/clock.ts'
import { runIdMadeMs } from '../platform/run-id.ts'
import {
  isSameTimes,
  type JobSchedule,
  type RunFinished,
  type RunMissed,
  type RunSlow,
  type RunVanished,
  type ScheduleSet,
} from './event.ts'
import type { KnownSchedule, SlowRun, SummaryEntry } from './summary-entry.ts'

/** What the end of a run says of when the job is due: the last word counts, whoever spoke it. */
export function scheduleAfterRun(
  entry: SummaryEntry,
  run: RunFinished,
): Pick<SummaryEntry, 'schedule' | 'consecutive_missed' | 'missed_since' | 'slow_runs'> {
  const missedMs = Date.parse(entry.last_missed ?? '')
  // One that lies after the end was said by a clock that was wrong.
  const stillMissed = Date.parse(run.started) < missedMs && missedMs <= Date.parse(run.time)
  return {
    schedule: run.schedule && isLastWord(entry, run) ? saidByRun(entry, run, run.schedule) : entry.schedule,
    consecutive_missed: stillMissed ? entry.consecutive_missed : 0,
    missed_since: stillMissed ? entry.missed_since : null,
    slow_runs: slowRunsWithout(entry, run),
  }
}

export function applySchedule(entry: SummaryEntry, event: ScheduleSet): SummaryEntry {
  const { schedule, source } = event
  const inConfig = source === 'config' ? { schedule_in_config: schedule } : {}
  const next = { ...entry, ...inConfig, last_schedule_set: event.time }
  if (schedule === null) {
    // What is gone from cronwrap.json may still be said by the runs.
    if (source === 'config' && entry.schedule?.source !== 'config') return next
    return { ...next, schedule: null, consecutive_missed: 0, missed_since: null }
  }
  const origin = {
    source,
    since: toWholeSeconds(event.time),
    ...(event.file === undefined ? {} : { file: event.file }),
  }
  return { ...next, schedule: continued(entry.schedule, { ...schedule, ...origin }) }
}

/**
 * A run says at its end what its settings said when they were read, before any jitter or wait. What was said since
 * then holds, unless a clock that was wrong said it: that lies after the end.
 */
function isLastWord({ last_schedule_set: set }: SummaryEntry, { run_id, started, time }: RunFinished): boolean {
  const [setMs, readMs] = [Date.parse(set ?? ''), runIdMadeMs(run_id) ?? Date.parse(started)]
  return !(readMs < setMs && setMs <= Date.parse(time))
}

/** A run also says what cronwrap.json says; then it is gone when it is gone from there. */
function saidByRun(
  { schedule, schedule_in_config: inConfig }: SummaryEntry,
  { started }: RunFinished,
  said: JobSchedule,
): KnownSchedule {
  const source = inConfig !== null && isSameTimes(inConfig, said) ? 'config' : 'run'
  return continued(schedule, { ...said, source, since: toWholeSeconds(started) })
}

/** The same schedule said again is known since it was first said. */
function continued(known: KnownSchedule | null, said: KnownSchedule): KnownSchedule {
  return known !== null && isSameTimes(known, said) ? { ...said, since: known.since } : said
}

/** The event's times all lie after those that were missed before. */
export function applyMissed(entry: SummaryEntry, missed: RunMissed): SummaryEntry {
  return {
    ...entry,
    missed_runs: entry.missed_runs + missed.count,
    consecutive_missed: entry.consecutive_missed + missed.in_a_row,
    missed_since: entry.missed_since ?? missed.in_a_row_since,
    last_missed: missed.until,
  }
}

/** Of a run that has ended meanwhile nothing is left to say. */
export function applySlow(entry: SummaryEntry, { run_id, started, limit_ms }: RunSlow): SummaryEntry {
  if ([...entry.recent_runs, ...entry.slow_runs].some((run) => run.run_id === run_id)) return entry
  const since = entry.slow_runs[0]?.since ?? toWholeSeconds(started)
  const slow = [...entry.slow_runs, { run_id, started: toWholeSeconds(started), limit_ms, since }]
  return { ...entry, slow_runs: slow.sort((a, b) => Date.parse(a.started) - Date.parse(b.started)) }
}

export function applyVanished(entry: SummaryEntry, run: RunVanished): SummaryEntry {
  return { ...entry, slow_runs: slowRunsWithout(entry, run) }
}

function slowRunsWithout({ slow_runs: slow }: SummaryEntry, ended: Pick<SlowRun, 'run_id'>): readonly SlowRun[] {
  return slow.filter(({ run_id }) => run_id !== ended.run_id)
}
