import type { EventBase } from './event-base.ts'
import { isCount, isListOf, isNullOr, isObject, isOneOf, isText, isTextOrNull, isTime } from '../platform/field.ts'

/** An alert is told when it opens, when it has grown to a further step, and when it is over. */
export const NOTIFICATION_STEPS = ['opened', 'grown', 'recovered'] as const
export type NotificationStep = (typeof NOTIFICATION_STEPS)[number]

/** `rejected`: the channel will never take it; `expired`: nobody is interested any more; `dropped`: the target is no more. */
export const NOTIFICATION_OUTCOMES = ['sent', 'failed', 'rejected', 'expired', 'dropped'] as const
export type NotificationResult = (typeof NOTIFICATION_OUTCOMES)[number]

/** What is told of an alert, as it was when that was decided. */
export interface ToldAlert {
  readonly kind: string
  readonly since: string
  readonly message: string
  readonly last_error: string | null
  readonly run_id: string | null
  readonly count: number
}

/** Somebody is to be told. */
export interface NotificationDecided extends EventBase {
  readonly type: 'notification'
  /** What was told last of this kind of alert: the event counts only where that is still so. */
  readonly after: string | null
  readonly step: NotificationStep
  /** The count that this step stands for: 3, 10, 30, … */
  readonly level: number
  readonly alert: ToldAlert
  /** Names of targets. */
  readonly targets: readonly string[]
  readonly expires: string
}

/**
 * Somebody is about to send it. Of several that claim the same attempt the first in the journal
 * sends; another attempt can be claimed once `retry_at` has come and no outcome is on record.
 */
export interface NotificationAttempt extends EventBase {
  readonly type: 'notification.attempt'
  readonly notification_id: string
  readonly target: string
  readonly attempt: number
  readonly retry_at: string
}

/** How an attempt ended. */
export interface NotificationOutcome extends EventBase {
  readonly type: 'notification.outcome'
  readonly notification_id: string
  readonly target: string
  readonly attempt: number
  readonly outcome: NotificationResult
  readonly error: string | null
  /** When to try again after a failure. */
  readonly retry_at: string | null
}

/** A target that failed is there no more, or was seen to work: whatever the job, that it failed is history. */
export interface NotificationCleared extends EventBase {
  readonly type: 'notification.cleared'
  readonly target: string
}

export function isNotificationEvent(event: Record<string, unknown>): boolean {
  switch (event['type']) {
    case 'notification':
      return (
        isTextOrNull(event['after']) &&
        isOneOf(NOTIFICATION_STEPS, event['step']) &&
        isCount(event['level']) &&
        isToldAlert(event['alert']) &&
        isListOf(event['targets'], isText) &&
        isTime(event['expires'])
      )
    case 'notification.attempt':
      return isOfAttempt(event) && isTime(event['retry_at'])
    case 'notification.outcome':
      return (
        isOfAttempt(event) &&
        isOneOf(NOTIFICATION_OUTCOMES, event['outcome']) &&
        isTextOrNull(event['error']) &&
        isNullOr(isTime, event['retry_at'])
      )
    case 'notification.cleared':
      return isText(event['target'])
    default:
      return false
  }
}

export function isToldAlert(value: unknown): value is ToldAlert {
  return (
    isObject(value) &&
    isText(value['kind']) &&
    isTime(value['since']) &&
    isText(value['message']) &&
    isTextOrNull(value['last_error']) &&
    isTextOrNull(value['run_id']) &&
    isCount(value['count'])
  )
}

function isOfAttempt(event: Record<string, unknown>): boolean {
  return isText(event['notification_id']) && isText(event['target']) && isCount(event['attempt'])
}
