import { isId } from '../config/job-id.ts'
import { readBounded } from '../platform/atomic-file.ts'
import { isObject } from '../platform/field.ts'
import { fitsField } from './summary-field.ts'
import { EMPTY_ENTRY, type SummaryEntry } from './summary-entry.ts'
import { comparePositions, parsePosition, type Position } from './position.ts'

/** Above this a view is taken for broken; 10,000 jobs need about 20 MB. */
export const MAX_VIEW_BYTES: number = 64 * 1024 * 1024
export type Summary = ReadonlyMap<string, SummaryEntry>

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
