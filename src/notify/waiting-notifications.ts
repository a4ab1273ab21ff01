import type { Summary } from '../record/summary.ts'

/** A notification that one target has not taken yet. */
export interface WaitingNotification {
  readonly job: string
  readonly target: string
  readonly step: string
  readonly message: string
  readonly attempts: number
  /** When it can be sent; null: at once. What comes later of a job waits for what was decided before. */
  readonly retry_at: string | null
  readonly error: string | null
}

/** Oldest first of each job. Pure. */
export function waitingNotifications(summary: Summary): WaitingNotification[] {
  return [...summary].flatMap(([job, { notifications }]) => {
    const waiting = notifications.flatMap(({ step, alert, targets }) =>
      targets.map(({ name, attempts, retry_at, error }) => {
        return { job, target: name, step, message: alert.message, attempts, retry_at, error }
      }),
    )
    return waiting.map((each) => ({ ...each, retry_at: firstOf(waiting, each).retry_at }))
  })
}

function firstOf(waiting: readonly WaitingNotification[], later: WaitingNotification): WaitingNotification {
  return waiting.find(({ target }) => target === later.target) ?? later
}
