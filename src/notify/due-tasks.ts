import { isOpen, type PendingNotification, type PendingTarget } from '../record/pending-notification.ts'
import type { Summary } from '../record/summary.ts'

/** One notification for one target. */
export interface Task {
  readonly job: string
  readonly notification: PendingNotification
  readonly target: PendingTarget
  /** It is only to be given up. */
  readonly isExpired: boolean
}

/**
 * What can be done now, oldest first: of each job and target the first that is pending, because what
 * comes later must not overtake it, unless somebody is sending it or it waits for its next attempt.
 * A target that is not known, for now or any more, gets nothing; what it was to get expires. Pure.
 */
export function dueTasks(summary: Summary, targets: Pick<ReadonlyMap<string, unknown>, 'has'>, now: Date): Task[] {
  const atMs = now.getTime()
  return [...summary]
    .flatMap(([job, { notifications }]) => firstOfEachTarget(notifications).map((first) => ({ job, ...first })))
    .map((task) => ({ ...task, isExpired: atMs >= Date.parse(task.notification.expires) }))
    .filter(({ target, isExpired }) => (isExpired ? !isBeingSent(target, atMs) : isOpen(target, atMs)))
    .filter(({ target, isExpired }) => isExpired || targets.has(target.name))
    .sort((a, b) => Date.parse(a.notification.time) - Date.parse(b.notification.time))
}

function firstOfEachTarget(notifications: readonly PendingNotification[]): Pick<Task, 'notification' | 'target'>[] {
  const first = new Map<string, Pick<Task, 'notification' | 'target'>>()
  for (const notification of notifications) {
    for (const target of notification.targets) {
      if (!first.has(target.name)) first.set(target.name, { notification, target })
    }
  }
  return [...first.values()]
}

function isBeingSent(target: PendingTarget, atMs: number): boolean {
  return target.claim !== null && !isOpen(target, atMs)
}
