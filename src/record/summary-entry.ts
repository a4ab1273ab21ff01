import type { DeliveryStatus, JobSchedule, KnownAlert, RunReason, RunStatus, ScheduleSource } from './event.ts'
import type { FailingTarget, PendingNotification, ToldStep } from './pending-notification.ts'

/** Runs and deliveries remembered per job: for the median, and to know a fact that comes twice. */
export const REMEMBERED = 20

export interface RecentRun {
  readonly run_id: string
  /** Missing in views of older versions. */
  readonly started?: string
  readonly duration_ms: number | null
  /** Of a run whose end nobody saw. */
  readonly last_seen?: string
}

/** When the job is due, who said so, and since when that is known: times before it are nobody's concern. */
export interface KnownSchedule extends JobSchedule {
  readonly source: ScheduleSource
  readonly since: string
  /** The crontab it was imported from, where that alone was looked at. */
  readonly file?: string
}

export interface SlowRun {
  readonly run_id: string
  readonly started: string
  readonly limit_ms: number
  /** When the run started since which there has always been a slow one. */
  readonly since: string
}

export interface LastDelivery {
  readonly time: string
  readonly message_id: string
  readonly status: DeliveryStatus
  readonly error: string | null
  readonly run_id: string | null
}

/**
 * What is known of one job. The first five keys, and `total_errors`, are a contract with scripts
 * that were written for the original files.
 */
export interface SummaryEntry {
  /** When the last run that ended had started; null before the first. */
  readonly last_run: string | null
  readonly last_status: RunStatus | null
  readonly consecutive_success: number
  readonly consecutive_errors: number
  readonly total_runs: number
  readonly total_errors: number
  readonly last_run_id: string | null
  readonly last_finished: string | null
  readonly last_exit_code: number | null
  readonly last_signal: string | null
  readonly last_reason: RunReason | null
  readonly last_duration_ms: number | null
  readonly last_cpu_ms: number | null
  readonly last_max_memory_bytes: number | null
  readonly last_error: string | null
  readonly last_success: string | null
  /** When the present streak of failures began. */
  readonly first_error: string | null
  readonly last_delivery: LastDelivery | null
  readonly deliveries_sent: number
  readonly deliveries_failed: number
  readonly consecutive_delivery_failures: number
  /** When the present streak of delivery failures began. */
  readonly first_delivery_failure: string | null
  readonly expects_delivery: boolean
  /** When the oldest success ended that no delivery has followed; null when none is owed. */
  readonly awaiting_delivery_since: string | null
  readonly delivery_grace_ms: number
  readonly skipped_runs: number
  readonly schedule: KnownSchedule | null
  /** What cronwrap.json said last: only a change there is news. */
  readonly schedule_in_config: JobSchedule | null
  /** When anybody but a run said last when the job is due, or that it is not. */
  readonly last_schedule_set: string | null
  readonly missed_runs: number
  /** Since the last run. */
  readonly consecutive_missed: number
  /** The first of those. */
  readonly missed_since: string | null
  /** The last time at which the job was due and did not start, ever. */
  readonly last_missed: string | null
  /** Those in progress that go on for far longer than the runs before them, the oldest first. */
  readonly slow_runs: readonly SlowRun[]
  readonly alert_after: number
  /** Alerts that somebody knows about, the latest of each kind. */
  readonly acknowledged: readonly KnownAlert[]
  readonly recent_runs: readonly RecentRun[]
  /** `run message status` of the latest deliveries. */
  readonly recent_deliveries: readonly string[]
  /** What was told last of each kind of alert. */
  readonly told: readonly ToldStep[]
  /** What is still to be told, oldest first. */
  readonly notifications: readonly PendingNotification[]
  /** Targets that did not take the job's notifications. */
  readonly failing_targets: readonly FailingTarget[]
  /** Where the journal's last event of this job ends; null for an entry that was never folded. */
  readonly cursor: string | null
}

export const EMPTY_ENTRY: SummaryEntry = {
  last_run: null,
  last_status: null,
  consecutive_success: 0,
  consecutive_errors: 0,
  total_runs: 0,
  total_errors: 0,
  last_run_id: null,
  last_finished: null,
  last_exit_code: null,
  last_signal: null,
  last_reason: null,
  last_duration_ms: null,
  last_cpu_ms: null,
  last_max_memory_bytes: null,
  last_error: null,
  last_success: null,
  first_error: null,
  last_delivery: null,
  deliveries_sent: 0,
  deliveries_failed: 0,
  consecutive_delivery_failures: 0,
  first_delivery_failure: null,
  expects_delivery: false,
  awaiting_delivery_since: null,
  delivery_grace_ms: 600_000,
  skipped_runs: 0,
  schedule: null,
  schedule_in_config: null,
  last_schedule_set: null,
  missed_runs: 0,
  consecutive_missed: 0,
  missed_since: null,
  last_missed: null,
  slow_runs: [],
  alert_after: 3,
  acknowledged: [],
  recent_runs: [],
  recent_deliveries: [],
  told: [],
  notifications: [],
  failing_targets: [],
  cursor: null,
}
