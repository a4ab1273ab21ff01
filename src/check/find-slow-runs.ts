import type { RunSlow, RunVanished } from '../record/event.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { RunManifest } from '../record/spool.ts'
import type { SummaryEntry } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'

/** Runs before this many have ended say little of how long one takes. */
const RUNS_NEEDED = 3
/** Until then: what is due at regular times hardly takes longer. Anything else may be meant to run for weeks. */
const UNTIL_THEN_MS = 24 * 3_600_000
const TIMES_THE_LONGEST = 3
const LEAST_MS = 5 * 60_000

/** The runs in progress that go on for far longer than those before them, and were not known to. Pure. */
export function findSlowRuns(summary: Summary, running: readonly RunManifest[], now: Date): RunSlow[] {
  return running.flatMap(({ job, run_id, started, slow_after_ms, schedule }) => {
    const entry = summary.get(job)
    const isScheduled = schedule !== null || (entry?.schedule ?? null) !== null
    const limitMs = slow_after_ms ?? learntLimitMs(entry) ?? (isScheduled ? UNTIL_THEN_MS : null)
    const isKnown = entry?.slow_runs.some((run) => run.run_id === run_id) ?? false
    if (limitMs === null || limitMs === 0 || isKnown || now.getTime() - Date.parse(started) <= limitMs) return []
    const time = toLocalIso(now, 'milliseconds')
    return [{ type: 'run.slow', id: `${run_id}/slow`, time, job, run_id, started, limit_ms: limitMs }]
  })
}

/**
 * The slow runs that nothing will end: neither in progress nor to be recorded, because somebody removed what was
 * written while they ran, say. Pure.
 * @param spooled the runs of which there was a spool before the summary was read
 */
export function findVanishedRuns(summary: Summary, spooled: ReadonlySet<string>, now: Date): RunVanished[] {
  const time = toLocalIso(now, 'milliseconds')
  return [...summary].flatMap(([job, { slow_runs: slow }]) =>
    slow
      .filter(({ run_id }) => !spooled.has(run_id))
      .map(({ run_id }) => ({ type: 'run.vanished', id: `${run_id}/vanished`, time, job, run_id })),
  )
}

/** How long a run may take by the runs before it, in milliseconds; null when they are too few to say. */
function learntLimitMs(entry: SummaryEntry | undefined): number | null {
  const durations = entry?.recent_runs.flatMap(({ duration_ms }) => duration_ms ?? []) ?? []
  if (durations.length < RUNS_NEEDED) return null
  return Math.max(LEAST_MS, TIMES_THE_LONGEST * Math.max(...durations))
}
