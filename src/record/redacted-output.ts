import type { Cut, Redactor } from './redact.ts'
import { lengthOf, readExtent, sliceOf, type Extent } from './spooled-stream.ts'

const PIECE_BYTES = 1024 * 1024
/** A secret that crosses the end of a piece is found when it is no longer than this. */
const MARGIN_BYTES = 64 * 1024

/** Output in one row, as it lies in the spool, and how it goes into the log. */
export interface KeptPart {
  readonly extents: readonly Extent[]
  readonly redactor: Redactor
  readonly cut: Cut
}

/**
 * The output without its secrets, in pieces of bounded size and as long as it was. Each piece is
 * searched together with a margin on both sides, so that no secret is missed for lying across two.
 */
export function* redactedPieces({ extents, redactor, cut }: KeptPart): Generator<Buffer> {
  const total = lengthOf(extents)
  for (let at = 0; at < total; at += PIECE_BYTES) {
    const [start, end] = [Math.max(at - MARGIN_BYTES, 0), Math.min(at + PIECE_BYTES + MARGIN_BYTES, total)]
    const content = Buffer.concat(sliceOf(extents, start, end).map(readExtent))
    redactor.bytes(content, { before: cut.before && start === 0, after: cut.after && end === total })
    yield content.subarray(at - start, Math.min(at + PIECE_BYTES, total) - start)
  }
}
