import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { parseEvent, type JobEvent, type RunFinished } from './event.ts'
import { seeLimit } from './journal-reader.ts'
import { listSegments, NEWLINE, readFrom } from './journal-segment.ts'

/** Some hundred events: so many in a row are not out of order because a clock was corrected. */
const PIECE_BYTES = 256 * 1024

export interface RecentRuns {
  /** At least those that ended at or after the time. */
  readonly runs: readonly RunFinished[]
  /** The journal goes back to that time; else it may have been longer once. */
  readonly reachesBack: boolean
}

/**
 * The runs of all jobs back to a time, in milliseconds, read from the journal's end: what a journal of years holds
 * besides costs nothing.
 */
export function readRunsBackTo(home: Home, timeMs: number): RecentRuns {
  const runs = new Map<string, RunFinished>()
  for (const piece of piecesFromEnd(home)) {
    const events = piece.map(parseEvent).filter((event) => event !== null)
    for (const event of events) if (event.type === 'run.finished') runs.set(event.id, event)
    if (events.length > 0 && events.every((event) => isBefore(event, timeMs)))
      return { runs: [...runs.values()], reachesBack: true }
  }
  return { runs: [...runs.values()], reachesBack: false }
}

function isBefore({ time }: JobEvent, timeMs: number): boolean {
  return Date.parse(time) < timeMs
}

/** The journal's lines in pieces, the last piece first. */
function* piecesFromEnd(home: Home): Generator<string[]> {
  const segments = listSegments(home)
  for (const [index, segment] of [...segments.entries()].toReversed()) {
    const next = segments[index + 1]
    const limit = next === undefined ? Infinity : seeLimit(segment, next)
    yield* segmentFromEnd(segment.path, limit)
  }
}

/** What follows the last newline is still being written, or torn. */
function* segmentFromEnd(path: string, limit: number): Generator<string[]> {
  let at = Math.min(limit, fs.statSync(path).size)
  /** The end of a line whose beginning is further ahead. */
  let rest = Buffer.alloc(0)
  while (at > 0) {
    const from = Math.max(0, at - PIECE_BYTES)
    const content = Buffer.concat([readFrom(path, from, at).content, rest])
    const newline = content.indexOf(NEWLINE)
    const begin = from === 0 ? 0 : newline === -1 ? content.byteLength : newline + 1
    yield content.toString('utf8', begin).split('\n').slice(0, -1)
    rest = content.subarray(0, begin)
    at = from
  }
}
