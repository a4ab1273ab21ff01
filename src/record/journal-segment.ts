import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { createExclusively, temporaryPath } from '../platform/atomic-file.ts'
import { formatSummary, parseSummary, type Summary } from './summary.ts'
import { errnoOf } from '../errors.ts'

/**
 * The journal is a row of numbered segments, `cron-journal.000001.jsonl` and on; the newest is also
 * linked as `cron-journal.jsonl`, where people look and writers start. A number is created with
 * link(2), by one process only, so no writer, however late it wakes up, can replace a segment that
 * others append to. A segment opens with a header (its id, and its predecessor's) and a checkpoint
 * of the summary, so that totals survive when old segments are pruned. Then comes, written once the new
 * segment can be seen, how many bytes of its predecessor count. What was appended there before lies within; a
 * writer that finds its event beyond appends it here. So each event counts once, and each reader agrees.
 */
export interface Segment {
  readonly path: string
  readonly sequence: number
  /** From the header; `none` when that cannot be read. */
  readonly id: string
  readonly previous: string | null
}

export const NO_ID = 'none'
export const NEWLINE = 0x0a
const HEADER_BYTES = 256
const HEADER =
  /^\{"type":"journal\.segment","id":"([0-9a-zA-Z-]{1,64})","sequence":(\d{1,9}),"previous":(?:null|"([0-9a-zA-Z-]{1,64})")\}\n/
const NUMBERED = /^cron-journal\.(\d{6,9})\.jsonl$/

export function segmentPath(home: Home, sequence: number): string {
  return join(home.logs, `cron-journal.${String(sequence).padStart(6, '0')}.jsonl`)
}

/** Id, number and predecessor as the file's first line says, or null when it is no header. */
export function readHeader(fd: number): { id: string; sequence: number; previous: string | null } | null {
  const buffer = Buffer.alloc(HEADER_BYTES)
  const length = fs.readSync(fd, buffer, 0, HEADER_BYTES, 0)
  const match = HEADER.exec(buffer.toString('latin1', 0, length))
  return match === null ? null : { id: match[1] ?? NO_ID, sequence: Number(match[2]), previous: match[3] ?? null }
}

/** The segment with this number, or null when there is none. */
export function findSegment(home: Home, sequence: number): Segment | null {
  const path = segmentPath(home, sequence)
  let fd: number
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
  try {
    const header = fs.fstatSync(fd).isFile() ? readHeader(fd) : null
    return { path, sequence, id: header?.id ?? NO_ID, previous: header?.previous ?? null }
  } finally {
    fs.closeSync(fd)
  }
}

/** All segments, oldest first. */
export function listSegments(home: Home): Segment[] {
  let names: string[]
  try {
    names = fs.readdirSync(home.logs)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
  const numbers = names.flatMap((name) => NUMBERED.exec(name)?.[1] ?? []).map(Number)
  return numbers
    .sort((a, b) => a - b)
    .map((number) => findSegment(home, number))
    .filter((segment) => segment !== null)
}

/**
 * Sees to it that the well-known name leads to the newest segment and that there is one. A file
 * that somebody put at that name, a restored backup say, becomes the newest segment.
 * @param checkpoint the summary so far, for a journal that has to be begun
 */
export function ensureJournal(home: Home, checkpoint: () => Summary, newId: () => string): void {
  const segments = listSegments(home)
  const newest = segments.at(-1)
  const present = fs.lstatSync(home.journal, { throwIfNoEntry: false })
  if (present?.isFile()) {
    const known = segments.some((segment) => inodeAt(segment.path) === present.ino)
    if (!known) linkUnlessTaken(home.journal, segmentPath(home, (newest?.sequence ?? 0) + 1))
    else if (newest !== undefined) leadTo(home, newest)
    return
  }
  if (present !== undefined) throw new Error(`${home.journal} is not a regular file`)
  if (newest === undefined) createSegment(home, 1, null, withoutCursors(checkpoint()), newId())
  linkUnlessTaken(newest?.path ?? segmentPath(home, 1), home.journal)
}

/** Returns false when that number is taken already. */
export function createSegment(
  home: Home,
  sequence: number,
  previous: string | null,
  checkpoint: Summary,
  id: string,
): boolean {
  const header = JSON.stringify({ type: 'journal.segment', id, sequence, previous })
  const summary: unknown = JSON.parse(formatSummary(checkpoint))
  const content = `${header}\n${JSON.stringify({ type: 'journal.checkpoint', summary })}\n`
  return createExclusively(segmentPath(home, sequence), content)
}

/** Makes the well-known name lead to this segment; done already when it does. */
export function leadTo(home: Home, segment: Segment): void {
  if (inodeAt(home.journal) === inodeAt(segment.path)) return
  const link = temporaryPath(home.journal)
  fs.linkSync(segment.path, link)
  fs.renameSync(link, home.journal)
}

export function inodeAt(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.ino
}

/** The summary in a segment's second line, or null when it cannot be read. */
export function parseCheckpoint(line: string): Summary | null {
  try {
    const value: unknown = JSON.parse(line)
    const isCheckpoint =
      typeof value === 'object' &&
      value !== null &&
      'type' in value &&
      value.type === 'journal.checkpoint' &&
      'summary' in value
    return isCheckpoint ? parseSummary(value.summary) : null
  } catch {
    return null // A torn or overwritten line: an older segment's checkpoint serves.
  }
}

function linkUnlessTaken(from: string, to: string): void {
  try {
    fs.linkSync(from, to)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

/** Positions in a journal that is gone mean nothing in a new one. */
function withoutCursors(summary: Summary): Summary {
  return new Map([...summary].map(([job, entry]) => [job, { ...entry, cursor: null }]))
}

/** How many bytes of the predecessor count, as this segment says, or null when it does not yet. */
export function closedBytes(next: Segment): number | null {
  const bytes = /^\{"type":"journal\.closed","segment":"[^"]*","bytes":(\d+)\}$/m.exec(
    readFrom(next.path, 0).content.toString('latin1'),
  )?.[1]
  return bytes === undefined ? null : Number(bytes)
}

/** The file from `offset` to `end`, and its size. */
export function readFrom(path: string, offset: number, end: number = Infinity): { content: Buffer; bytes: number } {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) return { content: Buffer.alloc(0), bytes: 0 }
    const content = Buffer.alloc(Math.max(0, Math.min(stat.size, end) - offset))
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
