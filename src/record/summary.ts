import { isId } from '../config/job-id.ts'
import { readBounded } from '../platform/atomic-file.ts'
import {
  DELIVERY_STATUSES,
  isCount,
  isListOf,
  isText,
  isTextOrNull,
  isTime,
  type DeliveryStatus,
  type RunReason,
  type RunStatus,
} from './event.ts'
import { comparePositions, parsePosition, type Position } from './position.ts'

/** Above this a view is taken for broken; 10,000 jobs need about 20 MB. */
export const MAX_VIEW_BYTES: number = 64 * 1024 * 1024
/** Runs and deliveries remembered per job: for the median, and to know a fact that comes twice. */
export const REMEMBERED = 20

export interface RecentRun {
  readonly run_id: string
  readonly duration_ms: number | null
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
  readonly last_error: string | null
  readonly last_success: string | null
  /** When the present streak of failures began. */
  readonly first_error: string | null
  readonly last_delivery: LastDelivery | null
  readonly deliveries_sent: number
  readonly deliveries_failed: number
  readonly consecutive_delivery_failures: number
  readonly expects_delivery: boolean
  /** When the oldest success ended that no delivery has followed; null when none is owed. */
  readonly awaiting_delivery_since: string | null
  readonly delivery_grace_ms: number
  readonly skipped_runs: number
  readonly alert_after: number
  /** Kinds of alerts that somebody knows about. */
  readonly acknowledged: readonly string[]
  readonly recent_runs: readonly RecentRun[]
  /** `run message status` of the latest deliveries. */
  readonly recent_deliveries: readonly string[]
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
  last_error: null,
  last_success: null,
  first_error: null,
  last_delivery: null,
  deliveries_sent: 0,
  deliveries_failed: 0,
  consecutive_delivery_failures: 0,
  expects_delivery: false,
  awaiting_delivery_since: null,
  delivery_grace_ms: 600_000,
  skipped_runs: 0,
  alert_after: 3,
  acknowledged: [],
  recent_runs: [],
  recent_deliveries: [],
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

const TIMES = new Set(['last_run', 'last_finished', 'last_success', 'first_error', 'awaiting_delivery_since'])

function fitsField(key: keyof SummaryEntry, value: unknown): boolean {
  if (key === 'last_delivery') return value === null || isLastDelivery(value)
  if (key === 'recent_runs') return isListOf(value, isRecentRun)
  if (key === 'acknowledged' || key === 'recent_deliveries') return isListOf(value, isText)
  if (key === 'last_status') return value === null || value === 'success' || value === 'error'
  if (TIMES.has(key)) return value === null || isTime(value)
  if (key === 'last_exit_code' || key === 'last_duration_ms') return value === null || isCount(value)
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
  return isObject(value) && isText(value['run_id']) && (value['duration_ms'] === null || isCount(value['duration_ms']))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
