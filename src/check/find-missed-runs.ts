import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import { groupBy } from '../platform/group-by.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { RunMissed } from '../record/event.ts'
import { readAllRuns } from '../record/read-records.ts'
import type { RunManifest } from '../record/spool.ts'
import type { KnownSchedule, SummaryEntry } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import type { LookMarks } from './look-marks.ts'
import { findMissed, type RunSpan } from '../schedule/missed-runs.ts'
import { readTimetable, type Timetable } from '../schedule/timetable.ts'

/** Told one by one; of more, the number. */
const TOLD = 20

export interface Missed {
  readonly events: readonly RunMissed[]
  /** Schedules that cannot be used, one sentence each, by job. */
  readonly problems: ReadonlyMap<string, string>
  /** Of each job with a schedule. */
  readonly decidedUntilMs: ReadonlyMap<string, number>
}

interface Scene {
  readonly home: Home
  readonly summary: Summary
  readonly running: readonly RunManifest[]
  readonly marks: LookMarks
  readonly now: Date
}

/**
 * The times at which jobs were due and did not start, that nobody has noticed. The runs of a job are
 * in its summary as long as it remembers them; the journal is read only when more have ended since
 * the last look.
 */
export function findMissedRuns(scene: Scene): Missed {
  const events: RunMissed[] = []
  const problems = new Map<string, string>()
  const decidedUntilMs = new Map<string, number>()
  let history: ReadonlyMap<string, readonly RunSpan[]> | null = null
  for (const [job, entry] of scene.summary) {
    if (entry.schedule === null) continue
    let timetable: Timetable
    try {
      timetable = readTimetable(entry.schedule)
    } catch (error) {
      problems.set(job, messageOf(error))
      continue
    }
    const needsMore = !remembersEnough(entry, scene.marks.get(job))
    if (needsMore) history ??= readSpans(scene.home)
    const [remembered, recorded] = [rememberedSpans(entry), history?.get(job) ?? []]
    // The journal may have been pruned to less than the summary remembers.
    const ended = needsMore && recorded.length > remembered.length ? recorded : remembered
    const { event, decidedMs } = missedOf(scene, job, { entry, schedule: entry.schedule, timetable, ended })
    if (event !== null) events.push(event)
    decidedUntilMs.set(job, decidedMs)
  }
  return { events, problems, decidedUntilMs }
}

interface Known {
  readonly entry: SummaryEntry
  readonly schedule: KnownSchedule
  readonly timetable: Timetable
  readonly ended: readonly RunSpan[]
}

function missedOf(scene: Scene, job: string, known: Known): { event: RunMissed | null; decidedMs: number } {
  const { running, now } = scene
  const { entry, schedule, timetable, ended } = known
  const going = running
    .filter((run) => run.job === job)
    .map(({ started }) => ({ startedMs: Date.parse(started), endedMs: Infinity }))
  const runs = [...ended, ...going].sort((a, b) => a.startedMs - b.startedMs)
  const afterMs = beginning(known, scene.marks.get(job), now.getTime())
  const { due, decidedUntilMs } = findMissed({ timetable, graceMs: schedule.grace_ms, afterMs }, runs, now.getTime())
  const told = due.map((time) => toLocalIso(time))
  const until = told.at(-1)
  if (until === undefined) return { event: null, decidedMs: decidedUntilMs }
  const time = toLocalIso(now, 'milliseconds')
  const common = { type: 'run.missed', id: `${job}/missed/${until}`, time, job, after: entry.last_missed } as const
  const event = { ...common, until, count: told.length, due: told.slice(-TOLD) }
  return { event, decidedMs: decidedUntilMs }
}

/**
 * After which time to look: the schedule was not known before, the times before it were decided, or
 * what ran then is not known any more. What lies in the future was said by a clock that was wrong.
 */
function beginning({ entry, schedule, ended }: Known, markMs: number | undefined, nowMs: number): number {
  const [sinceMs, missedMs] = [Date.parse(schedule.since), Date.parse(entry.last_missed ?? '')]
  const isPruned = entry.total_runs > ended.length
  const oldestMs = isPruned ? (ended[0]?.startedMs ?? Date.parse(entry.last_run ?? '')) : NaN
  // The first pass after such a clock begins now, and its mark is where the next goes on.
  const wasWrong = sinceMs > nowMs || missedMs > nowMs
  const times = [wasWrong ? (markMs ?? nowMs) : sinceMs, markMs ?? NaN, missedMs, oldestMs]
  return Math.max(...times.filter((time) => time <= nowMs))
}

/** Whether the summary holds all runs since the last look. */
function remembersEnough({ recent_runs: runs, total_runs: total }: SummaryEntry, markMs: number | undefined): boolean {
  if (total <= runs.length) return runs.every(({ started }) => started !== undefined)
  const oldest = runs[0]?.started
  return markMs !== undefined && oldest !== undefined && Date.parse(oldest) < markMs
}

function rememberedSpans(entry: SummaryEntry): RunSpan[] {
  return entry.recent_runs.flatMap(({ started, duration_ms }) =>
    started === undefined ? [] : span(started, duration_ms),
  )
}

function readSpans(home: Home): ReadonlyMap<string, readonly RunSpan[]> {
  const byJob = [...groupBy(readAllRuns(home), ({ job }) => job)]
  return new Map(byJob.map(([job, all]) => [job, all.flatMap((run) => span(run.started, run.duration_ms))]))
}

function span(started: string, durationMs: number | null): RunSpan[] {
  const startedMs = Date.parse(started)
  return [{ startedMs, endedMs: startedMs + (durationMs ?? 0) }]
}
