import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { errnoOf } from '../errors.ts'
import { appendDurably, openForAppend } from '../platform/append-file.ts'
import { syncDirectory } from '../platform/atomic-file.ts'
import { newRunId } from '../platform/run-id.ts'
import { serializeEvent, type JobEvent } from './event.ts'
import {
  closedBytes,
  createSegment,
  ensureJournal,
  findSegment,
  inodeAt,
  leadTo,
  listSegments,
  NEWLINE,
  NO_ID,
  readFrom,
  readHeader,
  segmentPath,
  type Segment,
} from './journal-segment.ts'
import type { Place } from './position.ts'
import { readSummaryFile, type Summary } from './summary.ts'

/** A segment is closed at this size: about 12,000 runs. */
export const SEGMENT_MAX_BYTES: number = 8 * 1024 * 1024
/** Closed segments kept beside the open one. */
const SEGMENTS_KEPT = 8

const MAX_EVENT_BYTES = 64 * 1024

/**
 * Appends the event and returns once it is durable: from then on it is never lost. Takes no lock.
 * Should the journal have got a new segment meanwhile and the event lie beyond what counts of the
 * old one, it goes to the new one.
 * @returns a position at or after the event's end
 */
export function appendEvent(home: Home, event: JobEvent): Place {
  const line = serializeEvent(event)
  if (line.byteLength > MAX_EVENT_BYTES) throw new Error(`an event of ${line.byteLength} bytes is too long`)
  for (let path = home.journal; ;) {
    const { segment, from, position } = appendLine(home, path, line)
    const next = findSegment(home, segment.sequence + 1)
    if (next === null) return position
    const end = from + readFrom(segment.path, from).content.indexOf(line) + line.byteLength
    if (end <= closeSegment(segment, next)) return position
    path = next.path
  }
}

function appendLine(home: Home, path: string, line: Buffer): { segment: Segment; from: number; position: Place } {
  const { fd, stat } = openJournal(home, path)
  try {
    const header = readHeader(fd)
    const sequence = sequenceOf(home, stat.ino, header?.sequence)
    appendDurably(fd, [line])
    const id = header?.id ?? NO_ID
    const segment = { path: segmentPath(home, sequence), sequence, id, previous: header?.previous ?? null }
    return { segment, from: stat.size, position: { sequence, segment: id, offset: fs.fstatSync(fd).size } }
  } finally {
    fs.closeSync(fd)
  }
}

/**
 * How many bytes of a segment count, now that it has a successor. Whoever first needs to know
 * writes it into the successor, where the first such line is the one that holds for everybody.
 */
export function closeSegment(segment: Segment, next: Segment): number {
  const closed = closedBytes(next)
  if (closed !== null) return closed
  const bytes = fs.statSync(segment.path).size
  const { fd } = openForAppend(next.path, { create: false })
  try {
    appendDurably(fd, [Buffer.from(`${JSON.stringify({ type: 'journal.closed', segment: segment.id, bytes })}\n`)])
  } finally {
    fs.closeSync(fd)
  }
  return closedBytes(next) ?? bytes
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

/**
 * Begins a new segment once the open one is full and drops the oldest; finishes what a killed process
 * began. The caller has folded the journal into `summary`.
 */
export function rotateJournal(home: Home, summary: Summary, maxBytes: number = SEGMENT_MAX_BYTES): void {
  if ((fs.statSync(home.journal, { throwIfNoEntry: false })?.size ?? 0) < maxBytes) return
  const segments = listSegments(home)
  const last = segments.at(-1)
  if (last === undefined) return
  leadTo(home, last)
  if (bytesOfEvents(last) < maxBytes) return
  createSegment(home, last.sequence + 1, last.id, summary, newRunId())
  const next = findSegment(home, last.sequence + 1)
  if (next === null) return
  closeSegment(last, next)
  leadTo(home, next)
  syncDirectory(home.logs)
  for (const segment of segments.slice(0, -SEGMENTS_KEPT)) fs.rmSync(segment.path, { force: true })
}

/** Without header and checkpoint, which is as large as the summary. */
function bytesOfEvents(segment: Segment): number {
  const { content } = readFrom(segment.path, 0)
  const checkpointEnd = content.indexOf(NEWLINE, content.indexOf(NEWLINE) + 1)
  return content.byteLength - checkpointEnd - 1
}
