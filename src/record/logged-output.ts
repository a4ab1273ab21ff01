import type { RunFinished } from './event.ts'
import type { Cut, Redactor } from './redact.ts'
import { redactedPieces, type KeptPart } from './redacted-output.ts'
import {
  keptOutput,
  lastBytes,
  lengthOf,
  omissionLine,
  readExtent,
  type Extent,
  type KeptOutput,
  type StreamName,
} from './spooled-stream.ts'

/** A secret that crosses the place where the last of an output begins is found when it is no longer than this. */
const MARGIN_BYTES = 64 * 1024

/** Where a run's output is, and what must not get into the log. */
export interface LoggedSpool {
  readonly directory: string
  readonly maxBytes: number
  readonly redactor: Redactor
}

/** Text, or output that stays in its files until it is copied. */
export type Piece = string | KeptPart

export interface LoggedStream {
  /** How much there was, in words. */
  readonly size: string
  readonly pieces: readonly Piece[]
}

/**
 * One stream of an attempt as the log shows it, ending a line.
 * @param knownBytes what is known to have been printed; 0 is not known
 */
export function loggedStream(
  spool: LoggedSpool | null,
  attempt: number,
  name: StreamName,
  knownBytes: number,
): LoggedStream {
  const kept = spool === null ? NOTHING : keptOutput(spool.directory, attempt, name, spool.maxBytes)
  const head = lengthOf(kept.head)
  const tail = lengthOf(kept.tail)
  // More was printed than the spool holds when the limit is 0 or the disk was full.
  const total = Math.max(knownBytes, kept.totalBytes)
  const omitted = total - head - tail
  const part = (extents: readonly Extent[], cut: Cut): Piece[] =>
    spool === null || extents.length === 0 ? [] : [{ extents, redactor: spool.redactor, cut }]
  return {
    size: omitted === 0 ? `${total} bytes` : `${total} bytes: first ${head} and last ${tail} kept`,
    pieces: [
      ...part(kept.head, { before: false, after: omitted > 0 }),
      ...(endsLine(kept.head) ? [] : ['\n']),
      ...(omitted === 0 ? [] : [omissionLine(omitted)]),
      ...part(kept.tail, { before: true, after: false }),
      ...(endsLine(kept.tail) ? [] : ['\n']),
    ],
  }
}

/** How much the last attempt of a run printed on a stream; 0 where only the sum of all attempts is known. */
export function printedBytes(event: RunFinished, name: StreamName): number {
  if (event.attempts > 1) return 0
  return name === 'stdout' ? event.stdout_bytes : event.stderr_bytes
}

export function lengthOfPieces(pieces: readonly Piece[]): number {
  return pieces.reduce(
    (sum, piece) => sum + (typeof piece === 'string' ? Buffer.byteLength(piece) : lengthOf(piece.extents)),
    0,
  )
}

export function* bytesOf(piece: Piece): Generator<Buffer> {
  if (typeof piece === 'string') yield Buffer.from(piece)
  else yield* redactedPieces(piece)
}

/** The last `maxBytes` of these, byte for byte as all of them would end. */
export function lastBytesOf(pieces: readonly Piece[], maxBytes: number): Buffer {
  const ends: Buffer[] = []
  let room = maxBytes
  for (const piece of pieces.toReversed()) {
    const end = Buffer.concat([...bytesOf(withoutBeginning(piece, room + MARGIN_BYTES))])
    ends.unshift(end.subarray(Math.max(end.byteLength - room, 0)))
    room -= ends[0]?.byteLength ?? 0
    if (room === 0) break
  }
  return Buffer.concat(ends)
}

function withoutBeginning(piece: Piece, maxBytes: number): Piece {
  if (typeof piece === 'string' || lengthOf(piece.extents) <= maxBytes) return piece
  return { ...piece, extents: lastBytes(piece.extents, maxBytes), cut: { ...piece.cut, before: true } }
}

const NOTHING: KeptOutput = { totalBytes: 0, omittedBytes: 0, head: [], tail: [] }

function endsLine(extents: readonly Extent[]): boolean {
  const last = extents.filter((extent) => extent.length > 0).at(-1)
  if (last === undefined) return true
  return readExtent({ ...last, start: last.start + last.length - 1, length: 1 })[0] === 0x0a
}
