import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { parseEvent } from './event.ts'
import { fold, type PlacedEvent } from './fold.ts'
import {
  closedBytes,
  findSegment,
  inodeAt,
  listSegments,
  NEWLINE,
  NO_ID,
  parseCheckpoint,
  readFrom,
  segmentPath,
  type Segment,
} from './journal-segment.ts'
import { CHECKED_BYTES, checkOf, type Position } from './position.ts'
import { cursorOf, type Summary } from './summary.ts'

export interface Projection {
  readonly summary: Summary
  /** Events that the given view did not hold. */
  readonly folded: number
  /** The view could not be continued, so it was made again from the journal. */
  readonly rebuilt: boolean
  /** How far the journal was read; null when there is none. */
  readonly end: ReadEnd | null
}

/** The last segment that was read, and its size then. */
interface ReadEnd {
  readonly segment: Segment
  readonly bytes: number
  readonly next: Segment | null
}

/** Whether anything was appended since. */
export function hasGrown(home: Home, end: ReadEnd | null): boolean {
  if (end === null) return listSegments(home).length > 0
  const size = fs.statSync(end.segment.path, { throwIfNoEntry: false })?.size
  return size !== end.bytes || fs.existsSync(segmentPath(home, end.segment.sequence + 1))
}

/** What of a segment counts once it has a successor: `closeSegment`, or a look that writes nothing. */
export type Limit = (segment: Segment, next: Segment) => number

/** For whoever only shows it. */
export const seeLimit: Limit = (segment, next) => closedBytes(next) ?? fs.statSync(segment.path).size

/** The summary with everything the journal holds, from the view on disk where that can be continued. */
export function projectSummary(home: Home, view: Summary | null, limit: Limit): Projection {
  const cursor = view === null ? null : cursorOf(view)
  if (view !== null && cursor !== null) {
    const pending = readAfter(home, cursor, limit)
    if (pending !== null) {
      const summary = fold(view, pending.events)
      return {
        summary,
        folded: pending.events.length,
        rebuilt: false,
        end: pending.end,
      }
    }
  }
  return rebuild(home, view, limit)
}

/** The journal's events from the last checkpoint that can be read. A missing journal leaves the view as it is. */
function rebuild(home: Home, view: Summary | null, limit: Limit): Projection {
  const segments = listSegments(home)
  if (segments.length === 0) return { summary: view ?? new Map(), folded: 0, rebuilt: false, end: null }
  let start = segments.length - 1
  let summary: Summary | null = null
  for (; start >= 0 && summary === null; start--) summary = readCheckpoint(segments[start])
  const base = summary ?? new Map()
  // The checkpoint may be older than its segment: what was appended to the one before in the meantime comes first.
  const before = cursorOf(base)
  const tail = before === null ? null : readAfter(home, before, limit)
  const rest = readSegments(segments.slice(start + 1), limit)
  const events = [...(tail?.events ?? []), ...rest.flatMap((lines) => lines.events)]
  return {
    summary: fold(base, events),
    folded: events.length,
    rebuilt: true,
    end: rest.at(-1)?.end ?? null,
  }
}

interface Lines {
  readonly events: PlacedEvent[]
  readonly skippedLines: number
  /** Of what stands before the first line that was read. */
  readonly check: string
  readonly end: ReadEnd
}

/** Every event the journal still holds, oldest first; a fact that was appended twice comes once. */
export function readHistory(home: Home): Pick<Lines, 'events' | 'skippedLines'> {
  const parts = readSegments(listSegments(home), seeLimit)
  const byId = new Map(parts.flatMap(({ events }) => events).map((placed) => [placed.event.id, placed]))
  return { events: [...byId.values()], skippedLines: sumSkipped(parts) }
}

/** The events after a position, or null when that position is not in this journal. */
function readAfter(home: Home, position: Position, limit: Limit): Lines | null {
  let lines = readSegmentAt(home, position, limit)
  while (lines !== null) {
    const { segment, next } = lines.end
    if (next === null) return isReplaced(home, segment) ? null : lines
    if (next.previous !== segment.id) return null
    lines = joined(lines, readSegment(next, 0, successorOf(home, next), limit))
  }
  return null
}

function successorOf(home: Home, segment: Segment): Segment | null {
  return findSegment(home, segment.sequence + 1)
}

/** Whether somebody put another file at the well-known name; a link that is one segment behind is none. */
function isReplaced(home: Home, last: Segment): boolean {
  const newest = inodeAt(home.journal)
  if (newest === undefined || newest === inodeAt(last.path)) return false
  return !listSegments(home).some((segment) => inodeAt(segment.path) === newest)
}

function readSegmentAt(home: Home, position: Position, limit: Limit): Lines | null {
  const segment = findSegment(home, position.sequence)
  if (segment === null || segment.id !== position.segment) return null
  const lines = readSegment(segment, position.offset, successorOf(home, segment), limit)
  // Otherwise the file was cut or rewritten.
  return lines.check === position.check ? lines : null
}

function readSegments(segments: readonly Segment[], limit: Limit): Lines[] {
  return segments.map((segment, index) => readSegment(segment, 0, segments[index + 1] ?? null, limit))
}

function joined(first: Lines, second: Lines): Lines {
  return {
    events: [...first.events, ...second.events],
    skippedLines: first.skippedLines + second.skippedLines,
    check: first.check,
    end: second.end,
  }
}

function sumSkipped(parts: readonly Lines[]): number {
  return parts.reduce((sum, { skippedLines }) => sum + skippedLines, 0)
}

/**
 * Reads whole lines only: what follows the last newline is still being written, or torn. The caller looked for the
 * successor first: without one all that is there counts, and what comes later is read later.
 */
function readSegment(segment: Segment, from: number, next: Segment | null, limit: Limit): Lines {
  const counted = next === null ? Infinity : limit(segment, next)
  const base = Math.max(0, from - CHECKED_BYTES)
  const { content, bytes } = readFrom(segment.path, base, counted)
  const events: PlacedEvent[] = []
  let skippedLines = 0
  let start = from - base
  const place = { sequence: segment.sequence, segment: segment.id }
  const check = checkOf(content.subarray(0, start))
  for (let end = content.indexOf(NEWLINE, start); end !== -1; end = content.indexOf(NEWLINE, start)) {
    const line = content.toString('utf8', start, end)
    start = end + 1
    if (line === '' || line.startsWith('{"type":"journal.')) continue
    const event = parseEvent(line)
    if (event === null) skippedLines += 1
    else
      events.push({ event, position: { ...place, offset: base + start, check: checkOf(content.subarray(0, start)) } })
  }
  return { events, skippedLines, check, end: { segment, bytes, next } }
}

function readCheckpoint(segment: Segment | undefined): Summary | null {
  if (segment === undefined || segment.id === NO_ID) return null
  const [, line] = readFrom(segment.path, 0).content.toString('utf8').split('\n', 2)
  return line === undefined ? null : parseCheckpoint(line)
}

/** The ids of all events that count. */
export function recordedIds(home: Home): Set<string> {
  return new Set(readHistory(home).events.map(({ event }) => event.id))
}
