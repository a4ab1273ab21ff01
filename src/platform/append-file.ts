import * as fs from 'node:fs'

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants
const ATTEMPTS = 3
const NEWLINE = 0x0a

export interface AppendTarget {
  readonly fd: number
  readonly stat: fs.Stats
}

/**
 * Opens a regular file for appending; a missing one is created 0600 when `create` is set.
 * A symlink, a directory or a FIFO planted at the path is refused: O_NOFOLLOW and O_NONBLOCK
 * keep us from writing elsewhere and from hanging in open(2).
 */
export function openForAppend(path: string, options: { create: boolean }): AppendTarget {
  const fd = fs.openSync(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | (options.create ? O_CREAT : 0), 0o600)
  const stat = fs.fstatSync(fd)
  if (!stat.isFile()) {
    fs.closeSync(fd)
    throw new Error(`${path} is not a regular file`)
  }
  return { fd, stat }
}

/**
 * Appends one record with one write(2), which O_APPEND keeps whole among concurrent writers,
 * and makes it durable. A torn last line, left by a crash or a full disk, is ended first so
 * that the record starts a line of its own. A short write is never continued: another writer
 * may have appended in between, so the whole record is written again.
 */
export function appendDurably(fd: number, record: readonly Uint8Array[]): void {
  const length = record.reduce((sum, part) => sum + part.byteLength, 0)
  for (let attempt = 1; ; attempt++) {
    const parts = endsWithNewline(fd) ? record : [Uint8Array.of(NEWLINE), ...record]
    const written = fs.writevSync(fd, parts)
    if (written >= length + (parts.length - record.length)) break
    if (attempt === ATTEMPTS)
      throw new Error(`only ${written} of ${length} bytes could be written: the disk may be full`)
  }
  fs.fdatasyncSync(fd)
}

function endsWithNewline(fd: number): boolean {
  const size = fs.fstatSync(fd).size
  if (size === 0) return true
  const last = Buffer.alloc(1)
  fs.readSync(fd, last, 0, 1, size - 1)
  return last[0] === NEWLINE
}
