import { isId } from '../config/job-id.ts'
import { readBounded } from '../platform/atomic-file.ts'
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
import {
  DELIVERY_STATUSES,
  isSchedule,
  SCHEDULE_SOURCES,
  type DeliveryStatus,
  type JobSchedule,
  type RunReason,
  type RunStatus,
  type ScheduleSource,
} from './event.ts'
import {
  isFailingTarget,
  isPendingNotification,
  isToldStep,
  type FailingTarget,
  type PendingNotification,
  type ToldStep,
} from './pending-notification.ts'
import { comparePositions, parsePosition, type Position } from './position.ts'

/** Above this a view is taken for broken; 10,000 jobs need about 20 MB. */
export const MAX_VIEW_BYTES: number = 64 * 1024 * 1024
/** Runs and deliveries remembered per job: for the median, and to know a fact that comes twice. */
export const REMEMBERED = 20

export interface RecentRun {
  readonly run_id: string
  /** Missing in views of older versions. */
  readonly started?: string
  readonly duration_ms: number | null
}

/** When the job is due, who said so, and since when that is known: times before it are nobody's concern. */
export interface KnownSchedule extends JobSchedule {
  readonly source: ScheduleSource
  readonly since: string
}

export interface SlowRun {
  readonly run_id: string
  readonly started: string
  readonly limit_ms: number
}

export interface LastDelivery {
  readonly time: string
  readonly message_id: string
  readonly status: DeliveryStatus
  readonly error: string | null
  readonly run_id: string | null
}

/**
 * What is known of one job. The first five keys, and `total_errors`, are a contract with scripts
 * that were written for the original files.
 */
export interface SummaryEntry {
  /** When the last run that ended had started; null before the first. */
  readonly last_run: string | null
  readonly last_status: RunStatus | null
  readonly consecutive_success: number
  readonly consecutive_errors: number
  readonly total_runs: number
  readonly total_errors: number
  readonly last_run_id: string | null
  readonly last_finished: string | null
  readonly last_exit_code: number | null
  readonly last_signal: string | null
  readonly last_reason: RunReason | null
  readonly last_duration_ms: number | null
  readonly last_cpu_ms: number | null
  readonly last_max_memory_bytes: number | null
  readonly last_error: string | null
  readonly last_success: string | null
  /** When the present streak of failures began. */
  readonly first_error: string | null
  readonly last_delivery: LastDelivery | null
  readonly deliveries_sent: number
  readonly deliveries_failed: number
  readonly consecutive_delivery_failures: number
  /** When the present streak of delivery failures began. */
  readonly first_delivery_failure: string | null
  readonly expects_delivery: boolean
  /** When the oldest success ended that no delivery has followed; null when none is owed. */
  readonly awaiting_delivery_since: string | null
  readonly delivery_grace_ms: number
  readonly skipped_runs: number
  readonly schedule: KnownSchedule | null
  /** What cronwrap.json said last: only a change there is news. */
  readonly schedule_in_config: JobSchedule | null
  readonly missed_runs: number
  /** Since the last run. */
  readonly consecutive_missed: number
  /** The first of those. */
  readonly missed_since: string | null
  /** The last time at which the job was due and did not start, ever. */
  readonly last_missed: string | null
  /** The run that goes on for far longer than those before it. */
  readonly slow_run: SlowRun | null
  readonly alert_after: number
  /** Kinds of alerts that somebody knows about. */
  readonly acknowledged: readonly string[]
  readonly recent_runs: readonly RecentRun[]
  /** `run message status` of the latest deliveries. */
  readonly recent_deliveries: readonly string[]
  /** What was told last of each kind of alert. */
  readonly told: readonly ToldStep[]
  /** What is still to be told, oldest first. */
  readonly notifications: readonly PendingNotification[]
  /** Targets that did not take the job's notifications. */
  readonly failing_targets: readonly FailingTarget[]
  /** Where the journal's last event of this job ends; null for an entry that was never folded. */
  readonly cursor: string | null
}

export type Summary = ReadonlyMap<string, SummaryEntry>

export const EMPTY_ENTRY: SummaryEntry = {
  last_run: null,
  last_status: null,
  consecutive_success: 0,
  consecutive_errors: 0,
  total_runs: 0,
  total_errors: 0,
  last_run_id: null,
  last_finished: null,
  last_exit_code: null,
  last_signal: null,
  last_reason: null,
  last_duration_ms: null,
  last_cpu_ms: null,
  last_max_memory_bytes: null,
  last_error: null,
  last_success: null,
  first_error: null,
  last_delivery: null,
  deliveries_sent: 0,
  deliveries_failed: 0,
  consecutive_delivery_failures: 0,
  first_delivery_failure: null,
  expects_delivery: false,
  awaiting_delivery_since: null,
  delivery_grace_ms: 600_000,
  skipped_runs: 0,
  schedule: null,
  schedule_in_config: null,
  missed_runs: 0,
  consecutive_missed: 0,
  missed_since: null,
  last_missed: null,
  slow_run: null,
  alert_after: 3,
  acknowledged: [],
  recent_runs: [],
  recent_deliveries: [],
  told: [],
  notifications: [],
  failing_targets: [],
  cursor: null,
}

/** How far the journal is folded into the summary: the furthest of its entries' cursors. */
export function cursorOf(summary: Summary): Position | null {
  let cursor: Position | null = null
  for (const entry of summary.values()) {
    const position = entry.cursor === null ? null : parsePosition(entry.cursor)
    if (position !== null && (cursor === null || comparePositions(position, cursor) > 0)) cursor = position
  }
  return cursor
}

/** Two-space JSON, as the original wrote it; a job may be called `__proto__`, which fromEntries keeps as a plain key. */
export function formatSummary(summary: Summary): string {
  return `${JSON.stringify(Object.fromEntries(summary), null, 2)}\n`
}

/** The view on disk: `missing`, `broken`, or valid at every level. */
export type SummaryFile =
  { readonly kind: 'missing' } | { readonly kind: 'broken' } | { readonly kind: 'valid'; readonly summary: Summary }

export function readSummaryFile(path: string): SummaryFile {
  let value: unknown
  try {
    const content = readBounded(path, MAX_VIEW_BYTES)
    if (content === null) return { kind: 'missing' }
    value = JSON.parse(content.toString('utf8').replace(/^\uFEFF/, ''))
  } catch {
    return { kind: 'broken' } // No JSON, too large, or no file: it is set aside and made again.
  }
  const summary = parseSummary(value)
  return summary === null ? { kind: 'broken' } : { kind: 'valid', summary }
}

/** Null unless every entry is one; keys that an entry of an older version lacks get their defaults. */
export function parseSummary(value: unknown): Summary | null {
  if (!isObject(value)) return null
  const summary = new Map<string, SummaryEntry>()
  for (const [job, raw] of Object.entries(value)) {
    if (!isId(job) || !isObject(raw)) return null
    const known = Object.entries(raw).filter(([key, field]) => Object.hasOwn(EMPTY_ENTRY, key) && field !== undefined)
    if (!known.every(([key, field]) => fitsField(key as keyof SummaryEntry, field))) return null
    summary.set(job, { ...EMPTY_ENTRY, ...Object.fromEntries(known) })
  }
  return summary
}

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
  ['acknowledged', listOf(isText)],
  ['recent_deliveries', listOf(isText)],
  ['last_status', nullOr((value) => isOneOf(['success', 'error'], value))],
  ...(['last_run', 'last_finished', 'last_success', 'first_error', 'awaiting_delivery_since'] as const).map(
    isTimeField,
  ),
  ...(['first_delivery_failure', 'missed_since', 'last_missed'] as const).map(isTimeField),
  ...(['last_exit_code', 'last_duration_ms', 'last_cpu_ms', 'last_max_memory_bytes'] as const).map(isCountField),
  ['schedule', nullOr(isKnownSchedule)],
  ['schedule_in_config', nullOr(isSchedule)],
  ['slow_run', nullOr(isSlowRun)],
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

function fitsField(key: keyof SummaryEntry, value: unknown): boolean {
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
    isNullOr(isCount, value['duration_ms'])
  )
}

function isKnownSchedule(value: unknown): boolean {
  return isSchedule(value) && isObject(value) && isOneOf(SCHEDULE_SOURCES, value['source']) && isTime(value['since'])
}

function isSlowRun(value: unknown): boolean {
  return isObject(value) && isText(value['run_id']) && isTime(value['started']) && isCount(value['limit_ms'])
}
