import { toWholeSeconds } from '../platform/clock.ts'
import { applyNotification } from './fold-notification.ts'
import { applyMissed, applySchedule, applySlow, applyVanished, scheduleAfterRun } from './fold-schedule.ts'
import type { AlertAcknowledged, Delivery, JobEvent, JobForgotten, RunFinished } from './event.ts'
import { withoutFailing, withoutWaits } from './failing-channel.ts'
import type { NotificationResult } from './notification-event.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from './position.ts'
import { EMPTY_ENTRY, REMEMBERED, type RecentRun, type SummaryEntry } from './summary-entry.ts'
import type { Summary } from './summary.ts'

/** An event and where its line ends in the journal. */
export interface PlacedEvent {
  readonly event: JobEvent
  readonly position: Position
}

/**
 * The summary after these events. Pure: the journal alone decides, not the clock. An event at or
 * before its job's cursor has been folded and changes nothing; so has one whose id is remembered,
 * which is how a fact appended twice counts once.
 */
export function fold(summary: Summary, events: Iterable<PlacedEvent>): Summary {
  const next = new Map(summary)
  for (const { event, position } of events) {
    if (!next.has(event.job) && PRESUMES_A_JOB.has(event.type)) continue
    const entry = next.get(event.job) ?? EMPTY_ENTRY
    const cursor = entry.cursor === null ? null : parsePosition(entry.cursor)
    if (cursor !== null && comparePositions(position, cursor) <= 0) continue
    // Without its cursor: should what comes before this be folded again, this is too.
    if (event.type === 'job.forgotten') next.delete(event.job)
    else next.set(event.job, { ...applyEvent(entry, event), cursor: formatPosition(position) })
    const isOver = event.type === 'schedule.set' && event.running !== true
    if (isOver && isBlank(next.get(event.job))) next.delete(event.job)
    const target = targetThatIsWell(event)
    if (target !== null) freeTarget(next, target, event.type === 'notification.cleared')
  }
  return next
}

/** @param isReady what waits for it need not wait any more */
function freeTarget(entries: Map<string, SummaryEntry>, target: string, isReady: boolean): void {
  for (const [job, entry] of entries) {
    const freed = withoutFailing(entry, target)
    const ready = isReady ? withoutWaits(freed, target) : freed
    if (ready !== entry) entries.set(job, ready)
  }
}

/** What somebody still records of a job that was forgotten meanwhile does not bring it back. */
const PRESUMES_A_JOB: ReadonlySet<JobEvent['type']> = new Set<JobEvent['type']>([
  'run.missed',
  'run.vanished',
  'alert.acknowledged',
  'notification',
  'notification.attempt',
  'notification.outcome',
  'notification.cleared',
])

/** Whatever job it was about: a target that takes one message works, and of one that is no more nobody expects anything. */
const WORKS: ReadonlySet<string> = new Set<NotificationResult>(['sent', 'dropped'])

function targetThatIsWell(event: JobEvent): string | null {
  if (event.type === 'notification.cleared') return event.target
  return event.type === 'notification.outcome' && WORKS.has(event.outcome) ? event.target : null
}

/** Known by its schedule only, which is gone. */
function isBlank(entry: SummaryEntry | undefined): boolean {
  if (entry === undefined || entry.schedule !== null || entry.schedule_in_config !== null) return false
  if (entry.last_run !== null || entry.last_delivery !== null) return false
  return entry.slow_runs.length === 0 && entry.told.length === 0
}

function applyEvent(entry: SummaryEntry, event: Exclude<JobEvent, JobForgotten>): SummaryEntry {
  switch (event.type) {
    case 'run.finished':
      return entry.recent_runs.some((run) => run.run_id === event.run_id) ? entry : applyRun(entry, event)
    case 'run.skipped':
      return { ...entry, skipped_runs: entry.skipped_runs + 1 }
    case 'delivery':
      return entry.recent_deliveries.includes(deliveryKey(event)) ? entry : applyDelivery(entry, event)
    case 'alert.acknowledged':
      return applyAcknowledgement(entry, event)
    case 'schedule.set':
      return applySchedule(entry, event)
    case 'run.missed':
      return event.after === entry.last_missed && event.last_run === entry.last_run ? applyMissed(entry, event) : entry
    case 'run.slow':
      return applySlow(entry, event)
    case 'run.vanished':
      return applyVanished(entry, event)
    case 'notification':
    case 'notification.attempt':
    case 'notification.outcome':
      return applyNotification(entry, event)
    case 'notification.cleared':
      return entry
  }
}

function applyRun(entry: SummaryEntry, run: RunFinished): SummaryEntry {
  const failed = run.status === 'error'
  const expects = run.expects_delivery ?? entry.expects_delivery
  const delivered = entry.last_delivery?.run_id === run.run_id
  const owes = expects && !failed && !delivered
  // The views show whole seconds; the journal keeps the milliseconds.
  const [started, finished] = [toWholeSeconds(run.started), toWholeSeconds(run.time)]
  return {
    ...entry,
    last_run: started,
    last_status: run.status,
    consecutive_success: failed ? 0 : entry.consecutive_success + 1,
    consecutive_errors: failed ? entry.consecutive_errors + 1 : 0,
    total_runs: entry.total_runs + 1,
    total_errors: entry.total_errors + (failed ? 1 : 0),
    last_run_id: run.run_id,
    last_finished: finished,
    last_exit_code: run.exit_code,
    last_signal: run.signal,
    last_reason: run.reason,
    last_duration_ms: run.duration_ms,
    last_cpu_ms: run.cpu_ms ?? null,
    last_max_memory_bytes: run.max_memory_bytes ?? null,
    last_error: run.last_error,
    last_success: failed ? entry.last_success : started,
    first_error: failed ? (entry.first_error ?? started) : null,
    expects_delivery: expects,
    awaiting_delivery_since: expects ? (entry.awaiting_delivery_since ?? (owes ? finished : null)) : null,
    delivery_grace_ms: run.delivery_grace_ms,
    alert_after: run.alert_after,
    // Another streak may begin within the same second.
    acknowledged: failed
      ? entry.acknowledged
      : entry.acknowledged.filter(({ kind }) => kind !== 'consecutive_failures'),
    recent_runs: remember(entry.recent_runs, recentRun(run)),
    ...scheduleAfterRun(entry, run),
  }
}

/** A clock that stood still while the machine slept says less than the wall. */
const ASLEEP_MS = 5_000

function recentRun({ run_id, started, time, duration_ms, last_seen }: RunFinished): RecentRun {
  const asleepMs = Date.parse(time) - Date.parse(started) - (duration_ms ?? Infinity)
  const seen = last_seen ?? (asleepMs > ASLEEP_MS ? time : undefined)
  const times = { started: toWholeSeconds(started), ...(seen === undefined ? {} : { last_seen: toWholeSeconds(seen) }) }
  return { run_id, ...times, duration_ms }
}

function applyDelivery(entry: SummaryEntry, delivery: Delivery): SummaryEntry {
  const failed = delivery.status === 'failed'
  const arrived = delivery.status === 'sent' || delivery.status === 'delivered'
  // "delivered" after "sent" confirms a message that was already counted.
  const confirms =
    delivery.status === 'delivered' && entry.recent_deliveries.includes(deliveryKey({ ...delivery, status: 'sent' }))
  const newest = delivery.run_id === entry.last_run_id || entry.last_run_id === null
  const stillOwed = newest || entry.awaiting_delivery_since === null ? null : entry.last_finished
  return {
    ...entry,
    last_delivery: {
      time: toWholeSeconds(delivery.time),
      message_id: delivery.message_id,
      status: delivery.status,
      error: delivery.error,
      run_id: delivery.run_id,
    },
    deliveries_sent: entry.deliveries_sent + (arrived && !confirms ? 1 : 0),
    deliveries_failed: entry.deliveries_failed + (failed ? 1 : 0),
    consecutive_delivery_failures: failed
      ? entry.consecutive_delivery_failures + 1
      : arrived
        ? 0
        : entry.consecutive_delivery_failures,
    first_delivery_failure: failed
      ? (entry.first_delivery_failure ?? toWholeSeconds(delivery.time))
      : arrived
        ? null
        : entry.first_delivery_failure,
    expects_delivery: true,
    awaiting_delivery_since: stillOwed,
    recent_deliveries: remember(entry.recent_deliveries, deliveryKey(delivery)),
  }
}

function applyAcknowledgement(entry: SummaryEntry, event: AlertAcknowledged): SummaryEntry {
  const others = entry.acknowledged.filter(({ kind }) => !event.alerts.some((each) => each.kind === kind))
  return { ...entry, acknowledged: [...others, ...event.alerts] }
}

/** What makes two records of a delivery the same fact. */
export function deliveryKey(delivery: Pick<Delivery, 'run_id' | 'message_id' | 'status'>): string {
  return `${delivery.run_id ?? '-'} ${delivery.message_id} ${delivery.status}`
}

function remember<T>(list: readonly T[], item: T): readonly T[] {
  return [...list, item].slice(-REMEMBERED)
}
