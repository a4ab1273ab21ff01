import { isCount, isListOf, isNullOr, isObject, isOneOf, isText, isTextOrNull, isTime } from '../platform/field.ts'
import { isToldAlert, NOTIFICATION_STEPS, type NotificationStep, type ToldAlert } from './notification-event.ts'

/** The last step of an alert that was decided to be told. */
export interface ToldStep {
  /** Of the event that decided it. */
  readonly id: string
  readonly kind: string
  /** Which alert of this kind. */
  readonly since: string
  readonly step: NotificationStep
  readonly level: number
  readonly time: string
  /** Those who were told since it opened, or still will be. */
  readonly targets: readonly string[]
}

/** A notification that has not reached all its targets. */
export interface PendingNotification {
  readonly id: string
  readonly time: string
  readonly step: NotificationStep
  readonly level: number
  readonly alert: ToldAlert
  readonly expires: string
  /** Those that have not taken it yet. */
  readonly targets: readonly PendingTarget[]
}

export interface PendingTarget {
  readonly name: string
  readonly attempts: number
  /** The event that claimed the latest attempt; null once its outcome is on record. */
  readonly claim: string | null
  /** When another attempt may be made; null: now. */
  readonly retry_at: string | null
  readonly error: string | null
}

/** A target that has not taken the job's notifications since. */
export interface FailingTarget {
  readonly target: string
  /** Attempts in a row. */
  readonly failures: number
  /** It refused for good, or a notification expired. */
  readonly final: boolean
  readonly since: string
  readonly last: string
  readonly error: string | null
}

/** A wait beyond this was set by a clock that was wrong. */
export const LONGEST_WAIT_MS = 3_600_000

/** Whether an attempt may be made: nobody is making one, and after a failure enough time has gone by. */
export function isOpen({ retry_at: retryAt }: Pick<PendingTarget, 'retry_at'>, atMs: number): boolean {
  if (retryAt === null) return true
  const waitMs = Date.parse(retryAt) - atMs
  return waitMs <= 0 || waitMs > LONGEST_WAIT_MS
}

export function isToldStep(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value['id']) &&
    isText(value['kind']) &&
    isTime(value['since']) &&
    isOneOf(NOTIFICATION_STEPS, value['step']) &&
    isCount(value['level']) &&
    isTime(value['time']) &&
    isListOf(value['targets'], isText)
  )
}

export function isPendingNotification(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value['id']) &&
    isTime(value['time']) &&
    isOneOf(NOTIFICATION_STEPS, value['step']) &&
    isCount(value['level']) &&
    isToldAlert(value['alert']) &&
    isTime(value['expires']) &&
    isListOf(value['targets'], isPendingTarget)
  )
}

function isPendingTarget(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value['name']) &&
    isCount(value['attempts']) &&
    isTextOrNull(value['claim']) &&
    isNullOr(isTime, value['retry_at']) &&
    isTextOrNull(value['error'])
  )
}

export function isFailingTarget(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value['target']) &&
    isCount(value['failures']) &&
    typeof value['final'] === 'boolean' &&
    isTime(value['since']) &&
    isTime(value['last']) &&
    isTextOrNull(value['error'])
  )
}
