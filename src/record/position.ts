/** Where a line of the journal ends: the segment's number and id, and the byte after the line. */
export interface Position {
  readonly sequence: number
  /** A replaced journal has other ids, so an old position cannot be taken for one in it. */
  readonly segment: string
  readonly offset: number
  /** Of the bytes before it: a segment that was cut and grew again may have a line that ends at the same place. */
  readonly check: string
}

/** How many bytes before a position are checked: the last line and more. */
export const CHECKED_BYTES = 1024

/** FNV-1a: against accidents, not against forgery. */
export function checkOf(before: Uint8Array): string {
  let hash = 0x811c9dc5
  for (const byte of before.subarray(-CHECKED_BYTES)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}

export function formatPosition({ sequence, segment, offset, check }: Position): string {
  return `${sequence}:${segment}:${offset}:${check}`
}

/** A position as far as it can be compared. */
export type Place = Omit<Position, 'check'>

/** Null for anything else than what `formatPosition` makes. */
export function parsePosition(text: string): Position | null {
  const match = /^(\d{1,9}):([0-9a-zA-Z-]{1,64}):(\d{1,15}):([0-9a-f]{8})$/.exec(text)
  if (match === null) return null
  const [, sequence, segment = '', offset, check = ''] = match
  return { sequence: Number(sequence), segment, offset: Number(offset), check }
}

export function comparePositions(a: Place, b: Place): number {
  return a.sequence - b.sequence || a.offset - b.offset
}
