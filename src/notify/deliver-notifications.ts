import type { Home } from '../config/base-directory.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import { appendEvent } from '../record/journal.ts'
import type { NotificationOutcome, NotificationResult } from '../record/notification-event.ts'
import type { PendingNotification, PendingTarget } from '../record/pending-notification.ts'
import { readSummary } from '../record/read-records.ts'
import type { Summary } from '../record/summary.ts'
import { messageOfStep } from './message.ts'
import type { NotifyConfig } from './notify-config.ts'
import { send } from './send.ts'
import type { Sent } from './sent.ts'

/** Doubles with each attempt. */
const FIRST_RETRY_MS = 60_000
/** What waits behind it must not wait long once the channel is back. */
const LONGEST_RETRY_MS = 15 * 60_000
/** An attempt that has no outcome this long after its time limit was made by somebody who died. */
const CLAIM_MARGIN_MS = 30_000

export interface Delivery {
  readonly home: Home
  readonly config: NotifyConfig
  readonly now: () => Date
  /** Asked before each attempt: leave the rest for the next time. */
  readonly hurry: () => boolean
}

interface Task {
  readonly job: string
  readonly notification: PendingNotification
  readonly target: PendingTarget
}

/**
 * Sends what is pending, to all targets at once and to each in the order of the decisions. An attempt
 * is claimed in the journal before it is made, so that of several who try at once one sends; its
 * outcome is recorded there too. Somebody who dies in between leaves it open whether the message
 * arrived: it is sent again, with the same id.
 */
export async function deliverNotifications(delivery: Delivery): Promise<void> {
  const queues = new Map<string, Task[]>()
  for (const task of pendingTasks(readSummary(delivery.home))) {
    const queue = queues.get(task.target.name)
    if (queue === undefined) queues.set(task.target.name, [task])
    else queue.push(task)
  }
  await Promise.all([...queues.values()].map((queue) => deliverInOrder(delivery, queue)))
}

function pendingTasks(summary: Summary): Task[] {
  return [...summary]
    .flatMap(([job, { notifications }]) =>
      notifications.flatMap((notification) => notification.targets.map((target) => ({ job, notification, target }))),
    )
    .sort((a, b) => Date.parse(a.notification.time) - Date.parse(b.notification.time))
}

/** Stops at the first that does not arrive: what comes later must not overtake it. */
async function deliverInOrder(delivery: Delivery, queue: readonly Task[]): Promise<void> {
  for (const task of queue) {
    if (delivery.hurry() || !(await deliver(delivery, task))) return
  }
}

/** @returns whether the next one may be sent */
async function deliver(delivery: Delivery, task: Task): Promise<boolean> {
  const { config, home, now } = delivery
  const { job, notification, target } = task
  const at = now()
  const isTooEarly = target.retry_at !== null && at.getTime() < Date.parse(target.retry_at)
  // Somebody is about to send it.
  if (isTooEarly && target.claim !== null) return false
  if (at.getTime() >= Date.parse(notification.expires)) {
    const error = target.error === null ? 'expired' : `expired after ${target.attempts} attempts: ${target.error}`
    appendEvent(home, outcomeOf(task, target.attempts, 'expired', error, null, at))
    return true
  }
  if (isTooEarly) return false
  const known = config.targets.get(target.name)
  const attempt = claim(delivery, task, at)
  if (attempt === null) return false
  const message = messageOfStep(home, { ...notification, job })
  const sent: Sent =
    known === undefined
      ? { kind: 'rejected', error: 'cronwrap.json has no target of this name' }
      : await send(known, message, config.timeoutMs)
  const error = sent.kind === 'sent' ? null : sent.error
  appendEvent(home, outcomeOf(task, attempt, sent.kind, error, retryAt(sent, attempt, now()), now()))
  return sent.kind !== 'failed'
}

/** @returns the number of the attempt that is now ours to make, or null when somebody else was faster */
function claim({ home, config }: Delivery, { job, notification, target }: Task, now: Date): number | null {
  const attempt = target.attempts + 1
  const id = newRunId()
  appendEvent(home, {
    type: 'notification.attempt',
    id,
    time: toLocalIso(now, 'milliseconds'),
    job,
    notification_id: notification.id,
    target: target.name,
    attempt,
    retry_at: toLocalIso(new Date(now.getTime() + config.timeoutMs + CLAIM_MARGIN_MS), 'milliseconds'),
  })
  const pending = readSummary(home)
    .get(job)
    ?.notifications.find((each) => each.id === notification.id)
  const holder = pending?.targets.find(({ name }) => name === target.name)?.claim
  return holder === id ? attempt : null
}

function retryAt(sent: Sent, attempt: number, now: Date): string | null {
  if (sent.kind !== 'failed') return null
  const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1))
  return toLocalIso(new Date(now.getTime() + Math.max(delayMs, sent.retryAfterMs ?? 0)), 'milliseconds')
}

function outcomeOf(
  { job, notification, target }: Task,
  attempt: number,
  outcome: NotificationResult,
  error: string | null,
  retryAtTime: string | null,
  now: Date,
): NotificationOutcome {
  return {
    type: 'notification.outcome',
    // The same fact, whoever notices it.
    id: `${notification.id}/${target.name}/${attempt}/${outcome}`,
    time: toLocalIso(now, 'milliseconds'),
    job,
    notification_id: notification.id,
    target: target.name,
    attempt,
    outcome,
    error,
    retry_at: retryAtTime,
  }
}
