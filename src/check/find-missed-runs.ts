import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import { groupBy } from '../platform/group-by.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { RunFinished, RunMissed } from '../record/event.ts'
import { readRunsBackTo } from '../record/journal-tail.ts'
import type { RunManifest } from '../record/spool.ts'
import type { KnownSchedule, RecentRun, SummaryEntry } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import type { LookMarks } from './look-marks.ts'
import { EARLY_MS, findMissed, type RunSpan } from '../schedule/missed-runs.ts'
import { readTimetable, type Timetable } from '../schedule/timetable.ts'

/** Of all jobs together, so that a pass after a long sleep does not last until the next one; each has some. */
const MOST_TIMES = 10_000
const LEAST_TIMES = 100

/** Told one by one; of more, the number. */
const TOLD = 20

export interface Missed {
  readonly events: readonly RunMissed[]
  /** Schedules that cannot be used, one sentence each, by job. */
  readonly problems: ReadonlyMap<string, string>
  /** The new mark of each job with a schedule. */
  readonly decidedUntilMs: ReadonlyMap<string, number>
}

interface Scene {
  readonly home: Home
  readonly summary: Summary
  readonly running: readonly RunManifest[]
  readonly marks: LookMarks
  readonly now: Date
}

interface Known {
  readonly job: string
  readonly entry: SummaryEntry
  readonly schedule: KnownSchedule
  readonly timetable: Timetable
  readonly markMs: number | undefined
  /** After which time to look. */
  readonly afterMs: number
}

/**
 * The times at which jobs were due and did not start, that nobody has noticed. The runs of a job are
 * in its summary as long as it remembers them; the journal is read only when more have ended since
 * the last look, and only so far back.
 */
export function findMissedRuns(scene: Scene): Missed {
  const { known, problems } = readTimetables(scene)
  const forgetful = new Set(known.filter((each) => !remembersEnough(each)))
  const firstMs = [...forgetful].reduce((first, { afterMs }) => Math.min(first, afterMs), Infinity)
  const recorded = forgetful.size === 0 ? null : readRuns(scene.home, firstMs - EARLY_MS)
  const mostAtOnce = Math.max(LEAST_TIMES, Math.floor(MOST_TIMES / Math.max(1, known.length)))
  const events: RunMissed[] = []
  const decidedUntilMs = new Map<string, number>()
  for (const each of known) {
    const { ended, sinceMs } = forgetful.has(each) && recorded !== null ? completed(each, recorded) : remembered(each)
    const { due, ...found } = missedOf(scene, { ...each, afterMs: Math.max(each.afterMs, sinceMs), mostAtOnce }, ended)
    if (due.length > 0) events.push(missedEvent(each, due, scene.now))
    // Only that time passed is worth a write when it spares the next pass the journal.
    const isWorthIt = found.hasDecided || forgetful.has(each)
    decidedUntilMs.set(each.job, isWorthIt ? found.decidedUntilMs : (each.markMs ?? found.decidedUntilMs))
  }
  return { events, problems, decidedUntilMs }
}

function readTimetables({ summary, marks, now }: Scene): { known: Known[]; problems: Map<string, string> } {
  const problems = new Map<string, string>()
  const known = [...summary].flatMap(([job, entry]): Known[] => {
    const { schedule } = entry
    if (schedule === null) return []
    const markMs = marks.get(job)
    try {
      const timetable = readTimetable(schedule)
      return [{ job, entry, schedule, timetable, markMs, afterMs: beginning(entry, schedule, markMs, now.getTime()) }]
    } catch (error) {
      problems.set(job, messageOf(error))
      return []
    }
  })
  return { known, problems }
}

/**
 * The schedule was not known before, or the times before it were decided. What lies in the future was said by a
 * clock that was wrong.
 */
function beginning(entry: SummaryEntry, schedule: KnownSchedule, markMs: number | undefined, nowMs: number): number {
  const [sinceMs, missedMs] = [Date.parse(schedule.since), Date.parse(entry.last_missed ?? '')]
  // The first pass after such a clock begins now, and its mark is where the next goes on.
  const wasWrong = sinceMs > nowMs || missedMs > nowMs
  const times = [wasWrong ? (markMs ?? nowMs) : sinceMs, markMs ?? NaN, missedMs]
  return Math.max(...times.filter((time) => time <= nowMs))
}

function missedOf(
  { running, now }: Scene,
  { job, schedule, timetable, afterMs, mostAtOnce }: Known & { readonly mostAtOnce: number },
  ended: readonly RunSpan[],
): ReturnType<typeof findMissed> {
  const going = running
    .filter((run) => run.job === job)
    .map(({ started }) => ({ startedMs: Date.parse(started), endedMs: Infinity }))
  // One that ended later than now did so by a clock that was wrong.
  const known = ended.map((run) => (run.endedMs > now.getTime() ? { ...run, endedMs: run.startedMs } : run))
  const runs = [...known, ...going].sort((a, b) => a.startedMs - b.startedMs)
  return findMissed({ timetable, graceMs: schedule.grace_ms, afterMs, mostAtOnce }, runs, now.getTime())
}

function missedEvent({ job, entry }: Known, due: readonly Date[], now: Date): RunMissed {
  const told = due.map((time) => toLocalIso(time))
  const until = told.at(-1) ?? ''
  const lastRunMs = entry.last_run === null ? -Infinity : Date.parse(entry.last_run)
  const inARow = told.filter((time) => Date.parse(time) > lastRunMs)
  return {
    type: 'run.missed',
    id: `${job}/missed/${until}`,
    time: toLocalIso(now, 'milliseconds'),
    job,
    after: entry.last_missed,
    last_run: entry.last_run,
    until,
    count: told.length,
    due: told.slice(-TOLD),
    in_a_row: inARow.length,
    in_a_row_since: inARow[0] ?? null,
  }
}

interface Ended {
  readonly ended: readonly RunSpan[]
  /** What ran before is not known any more. */
  readonly sinceMs: number
}

/** Whether the summary holds all runs that matter: none that it forgot ended later than those that it holds. */
function remembersEnough({ entry, afterMs }: Known): boolean {
  const { recent_runs: runs, total_runs: total } = entry
  if (total <= runs.length) return runs.every(({ started }) => started !== undefined)
  // One that was lost is on record much later than its end.
  const oldest = runs.find(({ duration_ms }) => duration_ms !== null)
  return oldest !== undefined && spansOf(oldest).some(({ endedMs }) => endedMs < afterMs - EARLY_MS)
}

function remembered({ entry }: Known): Ended {
  return { ended: entry.recent_runs.flatMap(spansOf), sinceMs: -Infinity }
}

/** By the journal, which may have been pruned to less than the summary remembers. */
function completed(known: Known, { byJob, reachesBack }: Recorded): Ended {
  const recorded = (byJob.get(known.job) ?? []).flatMap(spansOf)
  if (reachesBack) return { ended: recorded, sinceMs: -Infinity }
  const { total_runs: total, last_run: last } = known.entry
  const { ended: inSummary } = remembered(known)
  const ended = recorded.length > inSummary.length ? recorded : inSummary
  if (total <= ended.length) return { ended, sinceMs: -Infinity }
  const startsMs = ended.map(({ startedMs }) => startedMs)
  return { ended, sinceMs: startsMs.reduce((a, b) => Math.min(a, b), Date.parse(last ?? '')) }
}

interface Recorded {
  readonly byJob: ReadonlyMap<string, readonly RunFinished[]>
  readonly reachesBack: boolean
}

function readRuns(home: Home, backToMs: number): Recorded {
  const { runs, reachesBack } = readRunsBackTo(home, backToMs)
  return { byJob: groupBy(runs, ({ job }) => job), reachesBack }
}

/** A run lasted until it was last seen: its own clock stands still while the machine sleeps, and its end may not have been seen. */
function spansOf(run: RecentRun | RunFinished): RunSpan[] {
  if (run.started === undefined) return []
  const startedMs = Date.parse(run.started)
  const lastedMs = startedMs + (run.duration_ms ?? 0)
  const seenMs = Date.parse(run.last_seen ?? ('time' in run && run.duration_ms !== null ? run.time : run.started))
  return [{ startedMs, endedMs: Math.max(lastedMs, seenMs) }]
}
