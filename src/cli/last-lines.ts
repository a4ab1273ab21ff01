import * as fs from 'node:fs'
import { readExtent, type Extent } from '../record/spooled-stream.ts'

const BLOCK_BYTES = 64 * 1024

/** Where the last `count` lines of these files lie, taken as one text; read from the end, as tail(1) does. */
export function lastLines(paths: readonly string[], count: number): Extent[] {
  const extents: Extent[] = []
  let left = count
  for (const path of paths.toReversed()) {
    if (left <= 0) break
    const size = fs.statSync(path).size
    const { start, lines } = startOfLastLines(path, size, left)
    extents.unshift({ path, start, length: size - start })
    left -= lines
  }
  return extents
}

function startOfLastLines(path: string, size: number, count: number): { start: number; lines: number } {
  let lines = 0
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - BLOCK_BYTES)
    const block = readExtent({ path, start, length: end - start })
    for (
      let index = block.lastIndexOf(0x0a);
      index !== -1;
      index = index === 0 ? -1 : block.lastIndexOf(0x0a, index - 1)
    ) {
      // The newline that ends the file ends its last line; it does not begin another.
      if (start + index === size - 1) continue
      lines += 1
      if (lines === count) return { start: start + index + 1, lines }
    }
    end = start
  }
  return { start: 0, lines: size === 0 ? 0 : lines + 1 }
}
