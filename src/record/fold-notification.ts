import { toWholeSeconds } from '../platform/clock.ts'
import type { NotificationAttempt, NotificationDecided, NotificationOutcome } from './notification-event.ts'
import type { FailingTarget, PendingNotification, PendingTarget, ToldStep } from './pending-notification.ts'
import type { SummaryEntry } from './summary-entry.ts'

/**
 * What has been told of the job's alerts, and what is still to be told. The order in the journal
 * decides between several that decide or send at once, so nobody needs a lock.
 */
export function applyNotification(
  entry: SummaryEntry,
  event: NotificationDecided | NotificationAttempt | NotificationOutcome,
): SummaryEntry {
  if (event.type === 'notification') return isNews(entry.told, event) ? applyDecision(entry, event) : entry
  const notification = entry.notifications.find(({ id }) => id === event.notification_id)
  const target = notification?.targets.find(({ name }) => name === event.target)
  if (notification === undefined || target === undefined) return entry
  return event.type === 'notification.attempt'
    ? applyAttempt(entry, notification, target, event)
    : applyOutcome(entry, notification, target, event)
}

/** Whether this step of this alert has not been told: a later alert, or a further step of the same. */
export function isNews(
  told: readonly ToldStep[],
  { step, level, alert }: Pick<NotificationDecided, 'step' | 'level' | 'alert'>,
): boolean {
  const last = told.find(({ kind }) => kind === alert.kind)
  if (last === undefined) return step !== 'recovered'
  if (last.since !== alert.since) return step !== 'recovered' && Date.parse(alert.since) > Date.parse(last.since)
  return last.step !== 'recovered' && (step === 'recovered' || level > last.level)
}

function applyDecision(entry: SummaryEntry, event: NotificationDecided): SummaryEntry {
  const { id, time, step, level, alert, expires } = event
  const told: ToldStep = { kind: alert.kind, since: alert.since, step, level, time }
  const targets = event.targets.map((name) => ({ name, attempts: 0, claim: null, retry_at: null, error: null }))
  const pending: PendingNotification = { id, time, step, level, alert, expires, targets }
  return {
    ...entry,
    told: [...entry.told.filter(({ kind }) => kind !== alert.kind), told],
    notifications: targets.length === 0 ? entry.notifications : [...entry.notifications, pending],
  }
}

/** The first claim of an attempt holds; a claimant that died frees the next one when its time is over. */
function applyAttempt(
  entry: SummaryEntry,
  notification: PendingNotification,
  target: PendingTarget,
  event: NotificationAttempt,
): SummaryEntry {
  const isFree = target.retry_at === null || Date.parse(event.time) >= Date.parse(target.retry_at)
  if (event.attempt !== target.attempts + 1 || !isFree) return entry
  return withTarget(entry, notification, {
    ...target,
    attempts: event.attempt,
    claim: event.id,
    retry_at: event.retry_at,
  })
}

function applyOutcome(
  entry: SummaryEntry,
  notification: PendingNotification,
  target: PendingTarget,
  event: NotificationOutcome,
): SummaryEntry {
  if (event.attempt !== target.attempts || (target.claim === null && event.outcome !== 'expired')) return entry
  const failing = failingAfter(entry.failing_targets, event)
  const known =
    failing.length > 0 ? entry.acknowledged : entry.acknowledged.filter((kind) => kind !== 'notification_failed')
  const next = { ...entry, failing_targets: failing, acknowledged: known }
  if (event.outcome !== 'failed') return withoutTarget(next, notification, target)
  return withTarget(next, notification, { ...target, claim: null, retry_at: event.retry_at, error: event.error })
}

function failingAfter(failing: readonly FailingTarget[], event: NotificationOutcome): readonly FailingTarget[] {
  const { target, outcome, error, time } = event
  const others = failing.filter((each) => each.target !== target)
  if (outcome === 'sent') return others
  const before = failing.find((each) => each.target === target)
  return [
    ...others,
    {
      target,
      failures: (before?.failures ?? 0) + (outcome === 'expired' ? 0 : 1),
      final: (before?.final ?? false) || outcome !== 'failed',
      since: before?.since ?? toWholeSeconds(time),
      last: toWholeSeconds(time),
      error: error ?? before?.error ?? null,
    },
  ]
}

function withTarget(entry: SummaryEntry, notification: PendingNotification, target: PendingTarget): SummaryEntry {
  const targets = notification.targets.map((each) => (each.name === target.name ? target : each))
  return withNotification(entry, { ...notification, targets })
}

function withoutTarget(entry: SummaryEntry, notification: PendingNotification, target: PendingTarget): SummaryEntry {
  const targets = notification.targets.filter(({ name }) => name !== target.name)
  return withNotification(entry, { ...notification, targets })
}

function withNotification(entry: SummaryEntry, notification: PendingNotification): SummaryEntry {
  const notifications = entry.notifications
    .map((each) => (each.id === notification.id ? notification : each))
    .filter(({ targets }) => targets.length > 0)
  return { ...entry, notifications }
}
