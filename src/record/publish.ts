import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { readBounded, replaceFile } from '../platform/atomic-file.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { withFileLock, type StillHeld } from '../platform/file-lock.ts'
import { deriveAlerts, formatAlerts } from './alerts.ts'
import type { JobEvent } from './event.ts'
import { appendEvent, closeSegment, rotateJournal } from './journal.ts'
import { hasGrown, projectSummary, type Projection } from './journal-reader.ts'
import { comparePositions, type Place } from './position.ts'
import { cursorOf, formatSummary, MAX_VIEW_BYTES, readSummaryFile, type Summary, type SummaryFile } from './summary.ts'

/** Copies of broken views kept, per view. */
const ASIDE_KEPT = 3

export interface PublishOptions {
  /** Stop waiting for the lock; the next process that publishes does the work. */
  readonly hurry?: () => boolean
  /** How long to wait for the lock. */
  readonly budgetMs?: number
  readonly now?: () => Date
}

export interface FoldOptions extends PublishOptions {
  /** Be content as soon as somebody has folded this far. */
  readonly upTo?: Place
  /** Do not continue the summary on disk: make it again from the journal. */
  readonly fromScratch?: boolean
}

export type PublishResult =
  /** The views hold everything. */
  | { readonly kind: 'published' }
  /** The event is safe in the journal; a later fold takes it up. */
  | { readonly kind: 'deferred' }
  | { readonly kind: 'failed'; readonly error: unknown }

/**
 * Records a fact: appends it to the journal, then brings the views up to date.
 * @throws when the event could not be appended, and so is not recorded
 */
export async function publish(home: Home, event: JobEvent, options: PublishOptions = {}): Promise<PublishResult> {
  return publishAll(home, [event], options)
}

/** The same for several facts, with one fold for all. */
export async function publishAll(
  home: Home,
  events: readonly JobEvent[],
  options: PublishOptions = {},
): Promise<PublishResult> {
  makeDirectory(home.logs)
  const upTo = events.map((event) => appendEvent(home, event)).at(-1)
  return foldIntoViews(home, { ...options, ...(upTo === undefined ? {} : { upTo }) })
}

/**
 * Folds what the journal holds beyond the views, everybody's events at once: under a crowd a few
 * writers do the work of all.
 */
export async function foldIntoViews(home: Home, options: FoldOptions = {}): Promise<PublishResult> {
  const { upTo, hurry, budgetMs } = options
  const now = options.now ?? (() => new Date())
  const result = await withFileLock(home.summary, (held) => writeViews(home, held, now, options.fromScratch ?? false), {
    ...(upTo === undefined ? {} : { unneeded: () => covers(readSummaryFile(home.summary), upTo) }),
    ...(hurry === undefined ? {} : { hurry }),
    ...(budgetMs === undefined ? {} : { budgetMs }),
  }).catch((error: unknown) => ({ kind: 'unavailable' as const, error }))
  if (result.kind === 'done' || result.kind === 'unneeded') return { kind: 'published' }
  return result.kind === 'busy' ? { kind: 'deferred' } : { kind: 'failed', error: result.error }
}

/** Folds until nothing is left; losing the race for the file costs another round, never an event. */
function writeViews(home: Home, held: StillHeld, now: () => Date, fromScratch: boolean): void {
  for (let scratch = fromScratch; ; scratch = false) {
    const before = fingerprint(home.summary)
    const file = readSummaryFile(home.summary)
    const projection = projectSummary(home, file.kind === 'valid' && !scratch ? file.summary : null, closeSegment)
    if (needsWriting(file, projection)) {
      const discards =
        file.kind === 'broken' || (file.kind === 'valid' && projection.rebuilt && cursorOf(file.summary) !== null)
      if (discards) setAside(home, home.summary, now())
      const expected = discards ? NO_FILE : before
      // No sync of the directory: what a power cut takes back is folded again.
      if (
        !replaceFile(home.summary, formatSummary(projection.summary), {
          stillValid: () => held() && fingerprint(home.summary) === expected,
        })
      ) {
        if (held()) continue
        throw new Error('the lock was lost while the summary was written')
      }
    }
    writeAlerts(home, projection.summary, now())
    // Events that came meanwhile belong to writers that are waiting for this lock or have given up.
    if (hasGrown(home, projection.end)) continue
    rotateJournal(home, projection.summary)
    return
  }
}

function needsWriting(file: SummaryFile, projection: Projection): boolean {
  if (file.kind !== 'valid') return true
  return projection.rebuilt ? formatSummary(file.summary) !== formatSummary(projection.summary) : projection.folded > 0
}

function writeAlerts(home: Home, summary: Summary, now: Date): void {
  const text = formatAlerts(deriveAlerts(summary, now))
  const present = readAlertsFile(home)
  if (present === 'broken') setAside(home, home.alerts, now)
  if (present !== text) replaceFile(home.alerts, text)
}

/** The file's text, `broken` when it holds no list, or null when there is none. */
function readAlertsFile(home: Home): string | null {
  try {
    const text = readBounded(home.alerts, MAX_VIEW_BYTES)?.toString('utf8') ?? null
    return text === null || Array.isArray(JSON.parse(text)) ? text : 'broken'
  } catch {
    return 'broken' // Torn, too large, or no file at all.
  }
}

function covers(file: SummaryFile, place: Place): boolean {
  if (file.kind !== 'valid') return false
  const cursor = cursorOf(file.summary)
  return cursor !== null && comparePositions(cursor, place) >= 0
}

/** Keeps a view that is replaced without being continued: a broken one, or one of another journal. */
function setAside(home: Home, view: string, now: Date): void {
  const prefix = `${view}.corrupt-`
  fs.renameSync(view, `${prefix}${now.toISOString().replace(/[:.]/g, '-')}`)
  const aside = fs
    .readdirSync(home.logs)
    .map((name) => join(home.logs, name))
    .filter((path) => path.startsWith(prefix))
    .sort()
  for (const path of aside.slice(0, -ASIDE_KEPT)) fs.rmSync(path, { recursive: true, force: true })
}

const NO_FILE = 'none'

/** Changes whenever another writer replaced the file. */
function fingerprint(path: string): string {
  const stat = fs.statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat === undefined ? NO_FILE : `${stat.ino}:${stat.mtimeNs}:${stat.size}`
}
