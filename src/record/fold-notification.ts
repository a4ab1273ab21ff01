import { toWholeSeconds } from '../platform/clock.ts'
import type {
  NotificationAttempt,
  NotificationCleared,
  NotificationDecided,
  NotificationOutcome,
} from './notification-event.ts'
import {
  isOpen,
  type FailingTarget,
  type PendingNotification,
  type PendingTarget,
  type ToldStep,
} from './pending-notification.ts'
import type { SummaryEntry } from './summary-entry.ts'

/**
 * What has been told of the job's alerts, and what is still to be told. The order in the journal
 * decides between several that decide or send at once, so nobody needs a lock.
 */
export function applyNotification(
  entry: SummaryEntry,
  event: NotificationDecided | NotificationAttempt | NotificationOutcome | NotificationCleared,
): SummaryEntry {
  if (event.type === 'notification') {
    const last = entry.told.find(({ kind }) => kind === event.alert.kind)
    return event.after === (last?.id ?? null) ? applyDecision(entry, event) : entry
  }
  if (event.type === 'notification.cleared')
    return withFailing(
      entry,
      entry.failing_targets.filter(({ target }) => target !== event.target),
    )
  const notification = entry.notifications.find(({ id }) => id === event.notification_id)
  const target = notification?.targets.find(({ name }) => name === event.target)
  if (notification === undefined || target === undefined) return entry
  return event.type === 'notification.attempt'
    ? applyAttempt(entry, notification, target, event)
    : applyOutcome(entry, notification, target, event)
}

function applyDecision(entry: SummaryEntry, event: NotificationDecided): SummaryEntry {
  const { id, time, step, level, alert, expires } = event
  const told: ToldStep = { id, kind: alert.kind, since: alert.since, step, level, time }
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
  if (event.attempt !== target.attempts + 1 || !isOpen(target, Date.parse(event.time))) return entry
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
  const next = withFailing(entry, failingAfter(entry.failing_targets, event))
  if (event.outcome !== 'failed') return withoutTarget(next, notification, target)
  return withTarget(next, notification, { ...target, claim: null, retry_at: event.retry_at, error: event.error })
}

/** That somebody knows of the trouble ends with it. */
function withFailing(entry: SummaryEntry, failing: readonly FailingTarget[]): SummaryEntry {
  const known = entry.acknowledged.filter((kind) => kind !== 'notification_failed' || failing.length > 0)
  return { ...entry, failing_targets: failing, acknowledged: known }
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
