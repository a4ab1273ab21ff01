import { isUndelivered, type Alert } from '../record/alerts.ts'
import type { Starts } from '../schedule/timetable.ts'
import type { RunningRun } from '../record/read-records.ts'
import type { SummaryEntry } from '../record/summary-entry.ts'

/** One job as `status` sees it. */
export interface JobStatus {
  readonly job: string
  /** Null before the first run has ended. */
  readonly entry: SummaryEntry | null
  readonly running: readonly RunningRun[]
  readonly alerts: readonly Alert[]
  /** The last run failed, or there is an alert. */
  readonly wrong: boolean
}

/** `pending`: a message is due and its grace is not over. */
export type DeliveryState = 'sent' | 'delivered' | 'failed' | 'skipped' | 'missing' | 'pending' | 'not expected'

/** Whether the last run's message is on its way; never good without proof. */
export function deliveryState(entry: SummaryEntry | null, now: Date): DeliveryState {
  if (entry === null || (!entry.expects_delivery && entry.last_delivery === null)) return 'not expected'
  if (isUndelivered(entry, now)) return 'missing'
  if (entry.awaiting_delivery_since !== null) return 'pending'
  const ofLastRun = entry.last_status === 'success' || entry.last_delivery?.run_id === entry.last_run_id
  return (ofLastRun ? entry.last_delivery?.status : undefined) ?? 'not expected'
}

/** What an interval is counted from. */
export function startsOf(entry: Pick<SummaryEntry, 'last_run'>, running: readonly RunningRun[] = []): Starts {
  const going = running.map(({ manifest }) => Date.parse(manifest.started))
  return {
    ended: entry.last_run === null ? null : new Date(entry.last_run),
    going: going.length === 0 ? null : new Date(Math.max(...going)),
  }
}

/** Half of the remembered runs were faster; null when none has a known duration. */
export function medianDurationMs(entry: SummaryEntry): number | null {
  const durations = entry.recent_runs.flatMap((run) => run.duration_ms ?? []).sort((a, b) => a - b)
  if (durations.length === 0) return null
  const middle = Math.floor(durations.length / 2)
  const upper = durations[middle] ?? 0
  return durations.length % 2 === 1 ? upper : Math.round(((durations[middle - 1] ?? 0) + upper) / 2)
}

/** The job for `--json`: its summary entry and what depends on the present time. */
export function describeJob({ job, entry, running, alerts, wrong }: JobStatus, now: Date): object {
  return {
    job,
    wrong,
    delivery: deliveryState(entry, now).replace(' ', '_'),
    median_duration_ms: entry === null ? null : medianDurationMs(entry),
    running: running.map(({ manifest }) => ({ run_id: manifest.run_id, started: manifest.started, pid: manifest.pid })),
    alerts,
    ...entry,
  }
}
