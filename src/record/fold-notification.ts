import type { NotificationAttempt, NotificationDecided, NotificationOutcome } from './notification-event.ts'
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
  event: NotificationDecided | NotificationAttempt | NotificationOutcome,
): SummaryEntry {
  if (event.type === 'notification') {
    const last = entry.told.find(({ kind }) => kind === event.alert.kind)
    return event.after === (last?.id ?? null) ? applyDecision(entry, event) : entry
  }
  const notification = entry.notifications.find(({ id }) => id === event.notification_id)
  const target = notification?.targets.find(({ name }) => name === event.target)
  if (notification === undefined || target === undefined) return entry
  return event.type === 'notification.attempt'
    ? applyAttempt(entry, notification, target, event)
    : applyOutcome(entry, notification, target, event)
}

function applyDecision(entry: SummaryEntry, event: NotificationDecided): SummaryEntry {
  const { id, time, step, level, alert, expires } = event
  const last = entry.told.find(({ kind }) => kind === alert.kind)
  const before = last === undefined || step !== 'grown' ? [] : last.targets
  const told: ToldStep = {
    id,
    kind: alert.kind,
    since: alert.since,
    step,
    level,
    time,
    targets: [...new Set([...before, ...event.targets])],
  }
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
  const isGivenUp = event.outcome === 'expired' || event.outcome === 'dropped'
  if (event.attempt !== target.attempts || (target.claim === null && !isGivenUp)) return entry
  const failing_targets = failingAfter(entry.failing_targets, event)
  const next = { ...entry, failing_targets, told: toldAfter(entry.told, notification, event) }
  if (event.outcome !== 'failed') return withoutTarget(next, notification, target)
  return withTarget(next, notification, { ...target, claim: null, retry_at: event.retry_at, error: event.error })
}

/** Who took it has been told; who never will has not. */
function toldAfter(
  told: readonly ToldStep[],
  { alert: { kind, since } }: PendingNotification,
  { target, outcome }: NotificationOutcome,
): readonly ToldStep[] {
  return told.map((step) => {
    if (outcome === 'failed' || step.kind !== kind || step.since !== since) return step
    const knows = step.targets.includes(target)
    if (outcome === 'sent') return knows ? step : { ...step, targets: [...step.targets, target] }
    return { ...step, targets: step.targets.filter((name) => name !== target) }
  })
}

/** In its place: the order tells nothing, but would change what is told. */
function failingAfter(failing: readonly FailingTarget[], event: NotificationOutcome): readonly FailingTarget[] {
  const { target, outcome, error, time } = event
  if (outcome === 'sent' || outcome === 'dropped') return failing
  const before = failing.find((each) => each.target === target)
  const after = {
    target,
    failures: (before?.failures ?? 0) + (outcome === 'expired' ? 0 : 1),
    final: (before?.final ?? false) || outcome !== 'failed',
    // To the millisecond: of several jobs the first one has the alert.
    since: before?.since ?? time,
    last: time,
    error: error ?? before?.error ?? null,
  }
  return before === undefined ? [...failing, after] : failing.map((each) => (each === before ? after : each))
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
