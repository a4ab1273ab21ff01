import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { errnoOf } from '../errors.ts'
import { appendDurably, openForAppend } from '../platform/append-file.ts'
import { temporaryPath } from '../platform/atomic-file.ts'
import { newRunId } from '../platform/run-id.ts'
import { parseEvent, serializeEvent, type JobEvent } from './event.ts'
import { fold, type PlacedEvent } from './fold.ts'
import {
  createSegment,
  ensureJournal,
  findSegment,
  listSegments,
  NO_ID,
  parseCheckpoint,
  readHeader,
  segmentPath,
  type Segment,
} from './journal-segment.ts'
import type { Position } from './position.ts'
import { cursorOf, readSummaryFile, type Summary } from './summary.ts'

/** A segment is closed at this size: about 12,000 runs. */
export const SEGMENT_MAX_BYTES: number = 8 * 1024 * 1024
/** Closed segments kept beside the open one. */
const SEGMENTS_KEPT = 8

const NEWLINE = 0x0a
const MAX_EVENT_BYTES = 64 * 1024

/**
 * Appends the event and returns once it is durable: from then on it is never lost. Takes no lock.
 * Should the journal have got a new segment meanwhile, the event goes there as well, since readers
 * may have left the old one; the fold counts it once.
 * @returns a position at or after the event's end
 */
export function appendEvent(home: Home, event: JobEvent): Position {
  const line = serializeEvent(event)
  if (line.byteLength > MAX_EVENT_BYTES) throw new Error(`an event of ${line.byteLength} bytes is too long`)
  let path = home.journal
  for (;;) {
    const position = appendLine(home, path, line)
    const successor = segmentPath(home, position.sequence + 1)
    if (!fs.existsSync(successor)) return position
    path = successor
  }
}

function appendLine(home: Home, path: string, line: Buffer): Position {
  const { fd, stat } = openJournal(home, path)
  try {
    const header = readHeader(fd)
    const sequence = sequenceOf(home, stat.ino, header?.sequence)
    appendDurably(fd, [line])
    return { sequence, segment: header?.id ?? NO_ID, offset: fs.fstatSync(fd).size }
  } finally {
    fs.closeSync(fd)
  }
}

function openJournal(home: Home, path: string): ReturnType<typeof openForAppend> {
  try {
    return openForAppend(path, { create: false })
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    beginJournal(home)
    return openForAppend(path, { create: false })
  }
}

/** A summary that was there before the journal, the original system's say, is where the totals begin. */
function beginJournal(home: Home): void {
  ensureJournal(
    home,
    () => {
      const file = readSummaryFile(home.summary)
      return file.kind === 'valid' ? file.summary : new Map()
    },
    newRunId,
  )
}

/** The number of the segment with this inode; the header's guess is almost always right. */
function sequenceOf(home: Home, inode: number, guess: number | undefined): number {
  if (guess !== undefined && inodeAt(segmentPath(home, guess)) === inode) return guess
  beginJournal(home)
  const found = listSegments(home).find((segment) => inodeAt(segment.path) === inode)
  if (found === undefined) throw new Error(`${home.journal} was replaced while an event was written`)
  return found.sequence
}

function inodeAt(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.ino
}

export interface Projection {
  readonly summary: Summary
  /** Events that the given view did not hold. */
  readonly folded: number
  /** The view could not be continued, so it was made again from the journal. */
  readonly rebuilt: boolean
  /** Lines that are no events. */
  readonly skippedLines: number
  /** How far the journal was read; null when there is none. */
  readonly end: ReadEnd | null
}

/** The last segment that was read, and its size then. */
interface ReadEnd {
  readonly segment: Segment
  readonly bytes: number
}

/** Whether anything was appended since. */
export function hasGrown(home: Home, end: ReadEnd | null): boolean {
  if (end === null) return listSegments(home).length > 0
  const size = fs.statSync(end.segment.path, { throwIfNoEntry: false })?.size
  return size !== end.bytes || fs.existsSync(segmentPath(home, end.segment.sequence + 1))
}

/** The summary with everything the journal holds, from the view on disk where that can be continued. */
export function projectSummary(home: Home, view: Summary | null): Projection {
  const cursor = view === null ? null : cursorOf(view)
  if (view !== null && cursor !== null) {
    const pending = readAfter(home, cursor)
    if (pending !== null) {
      const summary = fold(view, pending.events)
      return {
        summary,
        folded: pending.events.length,
        rebuilt: false,
        skippedLines: pending.skippedLines,
        end: pending.end,
      }
    }
  }
  return rebuild(home, view)
}

/** The journal's events from the last checkpoint that can be read. A missing journal leaves the view as it is. */
function rebuild(home: Home, view: Summary | null): Projection {
  const segments = listSegments(home)
  if (segments.length === 0)
    return { summary: view ?? new Map(), folded: 0, rebuilt: false, skippedLines: 0, end: null }
  let start = segments.length - 1
  let summary: Summary | null = null
  for (; start >= 0 && summary === null; start--) summary = readCheckpoint(segments[start])
  const base = summary ?? new Map()
  // The checkpoint may be older than its segment: what was appended to the one before in the meantime comes first.
  const before = cursorOf(base)
  const tail = before === null ? null : readSegmentAt(home, before)
  const rest = readSegments(segments.slice(start + 1))
  const events = [...(tail?.events ?? []), ...rest.flatMap((lines) => lines.events)]
  return {
    summary: fold(base, events),
    folded: events.length,
    rebuilt: true,
    skippedLines: sumSkipped(rest) + (tail?.skippedLines ?? 0),
    end: rest.at(-1)?.end ?? null,
  }
}

interface Lines {
  readonly events: PlacedEvent[]
  readonly skippedLines: number
  /** What was read begins with a newline. */
  readonly startsAfterLine: boolean
  readonly end: ReadEnd
}

/** Every event the journal still holds, oldest first; a fact that was appended twice comes once. */
export function readHistory(home: Home): Pick<Lines, 'events' | 'skippedLines'> {
  const parts = readSegments(listSegments(home))
  const byId = new Map(parts.flatMap(({ events }) => events).map((placed) => [placed.event.id, placed]))
  return { events: [...byId.values()], skippedLines: sumSkipped(parts) }
}

/** The events after a position, or null when that position is not in this journal. */
function readAfter(home: Home, position: Position): Lines | null {
  let lines = readSegmentAt(home, position)
  while (lines !== null) {
    const last = lines.end.segment
    const next = findSegment(home, last.sequence + 1)
    if (next === null) return isReplaced(home, last) ? null : lines
    if (next.previous !== last.id) return null
    lines = joined(lines, readSegment(next, 0))
  }
  return null
}

/** Whether somebody put another file at the well-known name; a link that is one segment behind is none. */
function isReplaced(home: Home, last: Segment): boolean {
  const newest = inodeAt(home.journal)
  if (newest === undefined || newest === inodeAt(last.path)) return false
  return !listSegments(home).some((segment) => inodeAt(segment.path) === newest)
}

function readSegmentAt(home: Home, position: Position): Lines | null {
  const segment = findSegment(home, position.sequence)
  if (segment === null || segment.id !== position.segment) return null
  // A line of ours ended there; if none does now, the file was cut or rewritten.
  const lines = readSegment(segment, position.offset - 1)
  return lines.startsAfterLine ? lines : null
}

function readSegments(segments: readonly Segment[]): Lines[] {
  return segments.map((segment) => readSegment(segment, 0))
}

function joined(first: Lines, second: Lines): Lines {
  return {
    events: [...first.events, ...second.events],
    skippedLines: first.skippedLines + second.skippedLines,
    startsAfterLine: first.startsAfterLine,
    end: second.end,
  }
}

function sumSkipped(parts: readonly Lines[]): number {
  return parts.reduce((sum, { skippedLines }) => sum + skippedLines, 0)
}

/** Reads whole lines only: what follows the last newline is still being written, or torn. */
function readSegment(segment: Segment, from: number): Lines {
  const { content, bytes } = readFrom(segment.path, from)
  const events: PlacedEvent[] = []
  let skippedLines = 0
  let start = 0
  for (let end = content.indexOf(NEWLINE); end !== -1; end = content.indexOf(NEWLINE, start)) {
    const line = content.toString('utf8', start, end)
    start = end + 1
    if (line === '' || line.startsWith('{"type":"journal.')) continue
    const event = parseEvent(line)
    if (event === null) skippedLines += 1
    else events.push({ event, position: { sequence: segment.sequence, segment: segment.id, offset: from + start } })
  }
  return { events, skippedLines, startsAfterLine: content[0] === NEWLINE, end: { segment, bytes } }
}

function readCheckpoint(segment: Segment | undefined): Summary | null {
  if (segment === undefined || segment.id === NO_ID) return null
  const [, line] = readFrom(segment.path, 0).content.toString('utf8').split('\n', 2)
  return line === undefined ? null : parseCheckpoint(line)
}

function readFrom(path: string, offset: number): { content: Buffer; bytes: number } {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) return { content: Buffer.alloc(0), bytes: 0 }
    const content = Buffer.alloc(Math.max(0, stat.size - offset))
    let length = 0
    while (length < content.byteLength) {
      const read = fs.readSync(fd, content, length, content.byteLength - length, offset + length)
      if (read === 0) break
      length += read
    }
    return { content: content.subarray(0, length), bytes: stat.size }
  } finally {
    fs.closeSync(fd)
  }
}

/** Whether a finished run is in the journal. */
export function journalHolds(home: Home, eventId: string): boolean {
  const wanted = `"id":"${eventId}"`
  return listSegments(home)
    .toReversed()
    .some((segment) => readFrom(segment.path, 0).content.includes(wanted))
}

/**
 * Begins a new segment once the open one is full and drops the oldest. The caller has folded the
 * journal into `summary`; should another process have rotated already, nothing happens.
 */
export function rotateJournal(home: Home, summary: Summary, maxBytes: number = SEGMENT_MAX_BYTES): void {
  const size = fs.statSync(home.journal, { throwIfNoEntry: false })?.size ?? 0
  if (size < maxBytes) return
  const segments = listSegments(home)
  const last = segments.at(-1)
  if (last === undefined || inodeAt(last.path) !== inodeAt(home.journal)) return
  const sequence = last.sequence + 1
  createSegment(home, sequence, last.id, summary, newRunId())
  const link = temporaryPath(home.journal)
  fs.linkSync(segmentPath(home, sequence), link)
  fs.renameSync(link, home.journal)
  for (const segment of segments.slice(0, -SEGMENTS_KEPT)) fs.rmSync(segment.path, { force: true })
}
