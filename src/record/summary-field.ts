import {
  isCount,
  isListOf,
  isMissingOr,
  isNullOr,
  isObject,
  isOneOf,
  isText,
  isTextOrNull,
  isTime,
} from '../platform/field.ts'
import { DELIVERY_STATUSES, isKnownAlert, isSchedule, SCHEDULE_SOURCES } from './event.ts'
import { isFailingTarget, isPendingNotification, isToldStep } from './pending-notification.ts'
import { EMPTY_ENTRY, type SummaryEntry } from './summary-entry.ts'

type Check = (value: unknown) => boolean

const listOf =
  (isElement: Check): Check =>
  (value) =>
    isListOf(value, isElement)
const nullOr =
  (isValid: Check): Check =>
  (value) =>
    isNullOr(isValid, value)

/** The fields whose empty value does not tell what they hold. */
const CHECKS: ReadonlyMap<keyof SummaryEntry, Check> = new Map<keyof SummaryEntry, Check>([
  ['last_delivery', nullOr(isLastDelivery)],
  ['recent_runs', listOf(isRecentRun)],
  ['acknowledged', listOf(isKnownAlert)],
  ['recent_deliveries', listOf(isText)],
  ['last_status', nullOr((value) => isOneOf(['success', 'error'], value))],
  ...(['last_run', 'last_finished', 'last_success', 'first_error', 'awaiting_delivery_since'] as const).map(
    isTimeField,
  ),
  ...(['first_delivery_failure', 'missed_since', 'last_missed', 'last_schedule_set'] as const).map(isTimeField),
  ...(['last_exit_code', 'last_duration_ms', 'last_cpu_ms', 'last_max_memory_bytes'] as const).map(isCountField),
  ['schedule', nullOr(isKnownSchedule)],
  ['schedule_in_config', nullOr(isSchedule)],
  ['slow_runs', listOf(isSlowRun)],
  ['told', listOf(isToldStep)],
  ['notifications', listOf(isPendingNotification)],
  ['failing_targets', listOf(isFailingTarget)],
])

function isTimeField<K extends keyof SummaryEntry>(key: K): [K, Check] {
  return [key, nullOr(isTime)]
}

function isCountField<K extends keyof SummaryEntry>(key: K): [K, Check] {
  return [key, nullOr(isCount)]
}

/** Whether a value read from a file can be this field of an entry. */
export function fitsField(key: keyof SummaryEntry, value: unknown): boolean {
  const check = CHECKS.get(key)
  if (check !== undefined) return check(value)
  const fallback = EMPTY_ENTRY[key]
  if (typeof fallback === 'number') return isCount(value)
  if (typeof fallback === 'boolean') return typeof value === 'boolean'
  return isTextOrNull(value)
}

function isLastDelivery(value: unknown): boolean {
  return (
    isObject(value) &&
    isTime(value['time']) &&
    isText(value['message_id']) &&
    DELIVERY_STATUSES.some((status) => status === value['status']) &&
    isTextOrNull(value['run_id'] ?? null)
  )
}

function isRecentRun(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value['run_id']) &&
    isMissingOr(isTime, value['started']) &&
    isMissingOr(isTime, value['last_seen']) &&
    isNullOr(isCount, value['duration_ms'])
  )
}

function isKnownSchedule(value: unknown): boolean {
  return (
    isSchedule(value) &&
    isObject(value) &&
    isOneOf(SCHEDULE_SOURCES, value['source']) &&
    isTime(value['since']) &&
    isMissingOr(isText, value['file'])
  )
}

function isSlowRun(value: unknown): boolean {
  return isObject(value) && isText(value['run_id']) && isTime(value['started']) && isCount(value['limit_ms'])
}
