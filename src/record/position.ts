/** Where a line of the journal ends: the segment's number and id, and the byte after the line. */
export interface Position {
  readonly sequence: number
  /** A replaced journal has other ids, so an old position cannot be taken for one in it. */
  readonly segment: string
  readonly offset: number
}

export function formatPosition({ sequence, segment, offset }: Position): string {
  return `${sequence}:${segment}:${offset}`
}

/** Null for anything else than what `formatPosition` makes. */
export function parsePosition(text: string): Position | null {
  const match = /^(\d{1,9}):([0-9a-zA-Z-]{1,64}):(\d{1,15})$/.exec(text)
  return match === null ? null : { sequence: Number(match[1]), segment: match[2] ?? '', offset: Number(match[3]) }
}

export function comparePositions(a: Position, b: Position): number {
  return a.sequence - b.sequence || a.offset - b.offset
}
