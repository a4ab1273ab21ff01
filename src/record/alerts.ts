import { toWholeSeconds } from '../platform/clock.ts'
import { formatDuration } from '../platform/duration.ts'
import { failingChannels, type FailingChannel } from './failing-channel.ts'
import type { SummaryEntry } from './summary-entry.ts'
import type { Summary } from './summary.ts'

export const ALERT_KINDS = [
  'consecutive_failures',
  'missed',
  'delivery_failed',
  'undelivered',
  'slow',
  'notification_failed',
] as const
export type AlertKind = (typeof ALERT_KINDS)[number]

/** What needs somebody at once; the others can wait for the morning. */
export function isCritical(kind: string): boolean {
  return kind === 'consecutive_failures' || kind === 'missed'
}

/** Something that is wrong now. The first four keys are a contract with scripts for the original files. */
export interface Alert {
  readonly job_id: string
  /** When it became what it is: the latest failure, or the moment the delivery was due. */
  readonly alert_time: string
  readonly message: string
  readonly last_error: string | null
  readonly kind: AlertKind
  readonly consecutive_errors: number
  readonly since: string
  readonly run_id: string | null
  /** Failures, missed runs or refusals in a row, or slow runs at once; 1 where there is nothing to count. */
  readonly count: number
  readonly acknowledged: boolean
}

/** One alert per job and kind, by job id. Pure: gone as soon as the summary no longer says so. */
export function deriveAlerts(summary: Summary, now: Date): Alert[] {
  const channels = failingChannels(summary)
  return [...summary]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([job, entry]) => [
      consecutiveFailures(job, entry),
      missed(job, entry),
      deliveryFailed(job, entry),
      undelivered(job, entry, now),
      slow(job, entry),
      notificationFailed(
        job,
        entry,
        channels.filter((channel) => channel.job === job),
      ),
    ])
    .filter((alert) => alert !== null)
}

/** The command that shows more of an alert. */
export function lookCommand(
  job: string,
  { kind, run_id }: { readonly kind: string; readonly run_id: string | null },
): string {
  if (kind === 'notification_failed') return 'cronwrap notify'
  // The run is not over: nothing of it is in the log.
  if (kind === 'slow') return `cronwrap logs ${job} --follow`
  return run_id === null ? `cronwrap status ${job}` : `cronwrap logs ${job} --run ${run_id}`
}

/** As in cron-alerts.json. */
export function formatAlerts(alerts: readonly Alert[]): string {
  return `${JSON.stringify(alerts, null, 2)}\n`
}

/** Whether a success is owed a message and its grace is over. */
export function isUndelivered(entry: SummaryEntry, now: Date): boolean {
  return entry.awaiting_delivery_since !== null && now.getTime() > dueAt(entry.awaiting_delivery_since, entry)
}

function consecutiveFailures(job: string, entry: SummaryEntry): Alert | null {
  if (entry.last_run === null || entry.consecutive_errors < entry.alert_after) return null
  return {
    ...common(job, entry, 'consecutive_failures', entry.first_error ?? entry.last_run),
    alert_time: entry.last_run,
    message: entry.consecutive_errors === 1 ? '1 failure' : `${entry.consecutive_errors} consecutive failures`,
    last_error: entry.last_error,
    run_id: entry.last_run_id,
    count: entry.consecutive_errors,
  }
}

function missed(job: string, entry: SummaryEntry): Alert | null {
  const { consecutive_missed: count, last_missed: last } = entry
  if (count === 0 || last === null) return null
  const grace = entry.schedule === null ? '' : ` within ${formatDuration(entry.schedule.grace_ms)}`
  return {
    ...common(job, entry, 'missed', entry.missed_since ?? last),
    alert_time: last,
    message:
      count === 1
        ? `missed: it was due ${last} and did not start${grace}`
        : `${count} runs missed in a row, the last was due ${last}`,
    last_error: null,
    run_id: null,
    count,
  }
}

function deliveryFailed(job: string, entry: SummaryEntry): Alert | null {
  const failures = entry.consecutive_delivery_failures
  if (failures === 0 || entry.last_delivery === null) return null
  return {
    ...common(job, entry, 'delivery_failed', entry.first_delivery_failure ?? entry.last_delivery.time),
    alert_time: entry.last_delivery.time,
    message: failures === 1 ? 'the last delivery failed' : `${failures} consecutive delivery failures`,
    last_error: entry.last_delivery.error,
    run_id: entry.last_delivery.run_id,
    count: failures,
  }
}

function undelivered(job: string, entry: SummaryEntry, now: Date): Alert | null {
  if (entry.awaiting_delivery_since === null || !isUndelivered(entry, now)) return null
  return {
    ...common(job, entry, 'undelivered', entry.awaiting_delivery_since),
    alert_time: entry.awaiting_delivery_since,
    message: `the job succeeded and no delivery was recorded within ${formatDuration(entry.delivery_grace_ms)}`,
    last_error: null,
    run_id: entry.last_run_id,
    count: 1,
  }
}

function slow(job: string, entry: SummaryEntry): Alert | null {
  const { length: count, 0: oldest } = entry.slow_runs
  if (oldest === undefined) return null
  const goesOn = `goes on for more than ${formatDuration(oldest.limit_ms)}`
  return {
    ...common(job, entry, 'slow', oldest.since),
    alert_time: oldest.started,
    message:
      count === 1
        ? `the run that began ${oldest.started} ${goesOn}`
        : `${count} runs are slow, the oldest began ${oldest.started} and ${goesOn}`,
    last_error: null,
    run_id: oldest.run_id,
    count,
  }
}

/** A target that refuses is one alert, however many jobs it does not hear of. */
function notificationFailed(job: string, entry: SummaryEntry, channels: readonly FailingChannel[]): Alert | null {
  const [first] = channels
  if (first === undefined) return null
  const names = channels.map(({ target }) => target).join(', ')
  const newest = channels.reduce((latest, { since }) => laterOf(latest, since), first.since)
  const errors = channels.map(({ target, error }) => (channels.length === 1 ? error : `${target}: ${error}`))
  return {
    // The newest: somebody who knows of one does not know of the other.
    ...common(job, entry, 'notification_failed', toWholeSeconds(newest)),
    alert_time: toWholeSeconds(channels.reduce((latest, { last }) => laterOf(latest, last), first.last)),
    message: `notifications do not reach ${names}`,
    last_error: errors.join('; '),
    run_id: null,
    count: Math.max(...channels.map(({ failures }) => failures)),
  }
}

function laterOf(a: string, b: string): string {
  return Date.parse(b) > Date.parse(a) ? b : a
}

function common(
  job: string,
  entry: SummaryEntry,
  kind: AlertKind,
  since: string,
): Pick<Alert, 'job_id' | 'kind' | 'consecutive_errors' | 'since' | 'acknowledged'> {
  return {
    job_id: job,
    kind,
    consecutive_errors: entry.consecutive_errors,
    since,
    acknowledged: entry.acknowledged.some((known) => known.kind === kind && known.since === since),
  }
}

function dueAt(since: string, entry: SummaryEntry): number {
  return Date.parse(since) + entry.delivery_grace_ms
}
