import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { RunMissed } from '../record/event.ts'
import { readHistory } from '../record/journal-reader.ts'
import type { RunManifest } from '../record/spool.ts'
import { REMEMBERED, type KnownSchedule, type SummaryEntry } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import { findMissed, type RunSpan } from '../schedule/missed-runs.ts'
import { readTimetable, type Timetable } from '../schedule/timetable.ts'

/** Told one by one; of more, the number. */
const TOLD = 20

export interface Missed {
  readonly events: readonly RunMissed[]
  /** Schedules that cannot be used, one sentence each, by job. */
  readonly problems: ReadonlyMap<string, string>
  /** Up to when everything has been looked at now. */
  readonly checkedMs: number
}

interface Scene {
  readonly home: Home
  readonly summary: Summary
  readonly running: readonly RunManifest[]
  /** Up to when everything was looked at before; null when that is not known. */
  readonly checkedMs: number | null
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
  let checkedMs = scene.now.getTime()
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
    const needsMore = !remembersEnough(entry, scene.checkedMs)
    if (needsMore) history ??= readSpans(scene.home)
    const ended = needsMore ? (history?.get(job) ?? []) : rememberedSpans(entry)
    const { event, lookedUntilMs } = missedOf(scene, job, { entry, schedule: entry.schedule, timetable, ended })
    if (event !== null) events.push(event)
    checkedMs = Math.min(checkedMs, lookedUntilMs)
  }
  return { events, problems, checkedMs }
}

function missedOf(
  { running, checkedMs, now }: Scene,
  job: string,
  known: { entry: SummaryEntry; schedule: KnownSchedule; timetable: Timetable; ended: readonly RunSpan[] },
): { event: RunMissed | null; lookedUntilMs: number } {
  const { entry, schedule, timetable, ended } = known
  const going = running
    .filter((run) => run.job === job)
    .map(({ started }) => ({ startedMs: Date.parse(started), endedMs: Infinity }))
  const runs = [...ended, ...going].sort((a, b) => a.startedMs - b.startedMs)
  const graceMs = schedule.grace_ms
  const lookedMs = checkedMs === null ? -Infinity : checkedMs - graceMs
  // What was pruned from the journal cannot be looked at.
  const oldestMs = entry.total_runs > ended.length ? (ended[0]?.startedMs ?? -Infinity) : -Infinity
  const newestMs = entry.last_missed === null ? -Infinity : Date.parse(entry.last_missed)
  const afterMs = Math.max(Date.parse(schedule.since), newestMs, lookedMs, checkedMs === null ? oldestMs : -Infinity)
  const from = timetable.kind === 'calendar' ? afterMs : lastStartBefore(runs, afterMs, Date.parse(schedule.since))
  const missed = findMissed({ timetable, graceMs, afterMs: from }, runs, now.getTime())
  // Never twice, wherever the look began.
  const due = missed.due.filter((time) => time.getTime() > newestMs).map((time) => toLocalIso(time))
  const { lookedUntilMs } = missed
  const until = due.at(-1)
  if (until === undefined) return { event: null, lookedUntilMs }
  const common = {
    type: 'run.missed',
    id: `${job}/missed/${until}`,
    time: toLocalIso(now, 'milliseconds'),
    job,
  } as const
  const event = { ...common, after: entry.last_missed, until, count: due.length, due: due.slice(-TOLD) }
  return { event, lookedUntilMs }
}

/** An interval begins with a start; one that began before the last look goes on after it. */
function lastStartBefore(runs: readonly RunSpan[], timeMs: number, sinceMs: number): number {
  const starts = runs.filter(({ startedMs }) => startedMs <= timeMs && startedMs >= sinceMs)
  return starts.at(-1)?.startedMs ?? timeMs
}

/** Whether the summary holds all runs since the last look. */
function remembersEnough({ recent_runs: runs, total_runs: total }: SummaryEntry, checkedMs: number | null): boolean {
  if (total <= runs.length) return runs.every(({ started }) => started !== undefined)
  const oldest = runs[0]?.started
  return checkedMs !== null && runs.length >= REMEMBERED && oldest !== undefined && Date.parse(oldest) < checkedMs
}

function rememberedSpans(entry: SummaryEntry): RunSpan[] {
  return entry.recent_runs.flatMap(({ started, duration_ms }) =>
    started === undefined ? [] : span(started, duration_ms),
  )
}

function readSpans(home: Home): ReadonlyMap<string, readonly RunSpan[]> {
  const spans = new Map<string, RunSpan[]>()
  for (const { event } of readHistory(home).events) {
    if (event.type !== 'run.finished') continue
    const ofJob = spans.get(event.job)
    if (ofJob === undefined) spans.set(event.job, span(event.started, event.duration_ms))
    else ofJob.push(...span(event.started, event.duration_ms))
  }
  return spans
}

function span(started: string, durationMs: number | null): RunSpan[] {
  const startedMs = Date.parse(started)
  return [{ startedMs, endedMs: startedMs + (durationMs ?? 0) }]
}
