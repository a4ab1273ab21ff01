import type { Home } from '../config/base-directory.ts'
import { groupBy } from '../platform/group-by.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import { appendEvent } from '../record/journal.ts'
import type { NotificationOutcome, NotificationResult } from '../record/notification-event.ts'
import type { PendingNotification, PendingTarget } from '../record/pending-notification.ts'
import { readSummary } from '../record/read-records.ts'
import { printable } from '../record/outcome-text.ts'
import { messageOfStep } from './message.ts'
import type { NotifyConfig } from './notify-config.ts'
import type { Target } from './target.ts'
import { dueTasks, type Task } from './due-tasks.ts'
import { send } from './send.ts'
import type { Sent } from './sent.ts'

/** Doubles with each attempt, up to the longest; a server may ask for more, within the same. */
const FIRST_RETRY_MS = 60_000
const LONGEST_RETRY_MS = 15 * 60_000
/** An attempt that has no outcome this long after its time limit was made by somebody who died. */
const CLAIM_MARGIN_MS = 30_000

/** Characters. */
const LONGEST_ERROR = 500

export interface Delivery {
  readonly home: Home
  readonly config: NotifyConfig
  readonly now: () => Date
  /** Asked before each attempt: leave the rest for the next time. */
  readonly hurry: () => boolean
}

/**
 * Sends what is pending, to all targets at once, and to each what concerns one job in the order of
 * the decisions. An attempt is claimed in the journal before it is made, so that of several who try
 * at once one sends; its outcome is recorded there too. Somebody who dies in between leaves it open
 * whether the message arrived: it is sent again, with the same id.
 *
 * Looks again until nothing is left: what others decided meanwhile, and left to whom they saw sending.
 */
export async function deliverNotifications(delivery: Delivery): Promise<void> {
  const stuck = new Set<string>()
  while (!delivery.hurry()) {
    const due = dueTasks(readSummary(delivery.home), delivery.config.targets, delivery.now())
    const queues = groupBy(
      due.filter(({ target }) => !stuck.has(target.name)),
      ({ target }) => target.name,
    )
    if (queues.size === 0) return
    const results = await Promise.allSettled([...queues.values()].map((queue) => sendAll(delivery, queue, stuck)))
    const failed = results.find((result) => result.status === 'rejected')
    // The journal cannot be written: nothing may be sent that could not be remembered.
    if (failed !== undefined) throw failed.reason
  }
}

async function sendAll(delivery: Delivery, queue: readonly Task[], stuck: Set<string>): Promise<void> {
  for (const task of queue) {
    if (delivery.hurry()) return
    const sent = await handle(delivery, task)
    if (sent?.isStuck !== true) continue
    stuck.add(task.target.name)
    return
  }
}

/** @returns how it went; null when there was nothing to send, or somebody else was faster */
async function handle(delivery: Delivery, task: Task): Promise<Sent | null> {
  const { config, home, now } = delivery
  const { job, notification, target } = task
  if (task.isExpired) {
    recordOutcome(home, task, target.attempts, givenUp(config, target), now())
    return null
  }
  const known = config.targets.get(target.name)
  const attempt = known === undefined ? null : claim(delivery, task, now())
  if (known === undefined || attempt === null) return null
  const sent = await sendTo(home, known, { job, notification }, config.timeoutMs)
  const error = sent.kind === 'sent' ? null : sent.error
  recordOutcome(home, task, attempt, { outcome: sent.kind, error, retryAt: retryAt(sent, attempt, now()) }, now())
  return sent
}

/** It waited for a target that may only have been away for a while. */
function givenUp({ isUsable, names }: NotifyConfig, { name, attempts, error }: PendingTarget): Outcome {
  if (isUsable && !names.has(name))
    return { outcome: 'dropped', error: `there is no target "${name}" any more`, retryAt: null }
  const why = error === null ? 'expired' : `expired after ${attempts} attempts: ${error}`
  return { outcome: 'expired', error: why, retryAt: null }
}

function sendTo(
  home: Home,
  target: Target,
  { job, notification }: { job: string; notification: PendingNotification },
  timeoutMs: number,
): Promise<Sent> {
  return send(target, messageOfStep(home, { ...notification, job }), timeoutMs)
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
  const delayMs = Math.max(FIRST_RETRY_MS * 2 ** (attempt - 1), sent.retryAfterMs ?? 0)
  return toLocalIso(new Date(now.getTime() + Math.min(LONGEST_RETRY_MS, delayMs)), 'milliseconds')
}

interface Outcome {
  readonly outcome: NotificationResult
  readonly error: string | null
  readonly retryAt: string | null
}

/** An answer may be longer than an event can be. */
function shortened(error: string): string {
  return error.length > LONGEST_ERROR ? `${error.slice(0, LONGEST_ERROR)}…` : error
}

function recordOutcome(
  home: Home,
  { job, notification, target }: Task,
  attempt: number,
  { outcome, error, retryAt: retry_at }: Outcome,
  now: Date,
): void {
  const event: NotificationOutcome = {
    type: 'notification.outcome',
    // The same fact, whoever notices it.
    id: `${notification.id}/${target.name}/${attempt}/${outcome}`,
    time: toLocalIso(now, 'milliseconds'),
    job,
    notification_id: notification.id,
    target: target.name,
    attempt,
    outcome,
    error: error === null ? null : shortened(printable(error)),
    retry_at,
  }
  appendEvent(home, event)
}
