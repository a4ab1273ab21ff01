import * as fs from 'node:fs'
import { join } from 'node:path'

const PIECE_BYTES = 1024 * 1024

export type StreamName = 'stdout' | 'stderr'

/**
 * One stream of one attempt, in files of half the limit, numbered by what part of the stream they
 * hold. The first and the last two are kept: the head, and at least as much of the end. The names
 * and sizes alone tell how much there was, also when the writer was killed.
 */
export class SpooledStream {
  readonly #directory: string
  readonly #prefix: string
  readonly #partBytes: number
  #part = 0
  #partSize = 0
  #fd: number | null = null
  /** Bytes the job printed. */
  bytes = 0
  /** The first thing that went wrong; the stream passes on all the same. */
  error: unknown = null

  constructor(directory: string, attempt: number, name: StreamName, maxBytes: number) {
    this.#directory = directory
    this.#prefix = `${attempt}.${name}`
    this.#partBytes = Math.ceil(maxBytes / 2)
  }

  write(chunk: Buffer): void {
    this.bytes += chunk.byteLength
    if (this.#partBytes === 0) return
    try {
      for (let start = 0; start < chunk.byteLength;) {
        if (this.#fd === null || this.#partSize === this.#partBytes) this.#nextPart()
        const end = Math.min(chunk.byteLength, start + this.#partBytes - this.#partSize)
        const written = fs.writeSync(this.#fd ?? -1, chunk, start, end - start)
        this.#partSize += written
        start += written
        if (written === 0) throw new Error('nothing could be written')
      }
    } catch (error) {
      this.error ??= error
    }
  }

  /** Some file systems tell only here that they could not take what was written. */
  close(): void {
    const fd = this.#fd
    this.#fd = null
    try {
      if (fd !== null) fs.closeSync(fd)
    } catch (error) {
      this.error ??= error
    }
  }

  #nextPart(): void {
    if (this.#fd !== null) {
      this.close()
      this.#part += 1
      if (this.#part > 2) fs.rmSync(join(this.#directory, `${this.#prefix}.${this.#part - 2}`), { force: true })
    }
    this.#fd = fs.openSync(join(this.#directory, `${this.#prefix}.${this.#part}`), 'wx', 0o600)
    this.#partSize = 0
  }
}

/** A piece of a file: `length` bytes from `start`. */
export interface Extent {
  readonly path: string
  readonly start: number
  readonly length: number
}

/** What was kept of a stream. */
export interface KeptOutput {
  readonly totalBytes: number
  /** Left out between head and tail. */
  readonly omittedBytes: number
  readonly head: readonly Extent[]
  readonly tail: readonly Extent[]
}

/** A file of a spool: which bytes of which stream it holds. */
export interface SpooledPart {
  readonly attempt: number
  readonly name: StreamName
  readonly number: number
  readonly streamOffset: number
  readonly extent: Extent
}

/** What a spool holds of all streams, in order. */
export function spooledParts(directory: string, maxBytes: number): SpooledPart[] {
  const partBytes = Math.ceil(maxBytes / 2)
  return fs
    .readdirSync(directory)
    .flatMap((file) => {
      const match = /^(\d+)\.(stdout|stderr)\.(\d+)$/.exec(file)
      if (match === null) return []
      const path = join(directory, file)
      const number = Number(match[3])
      const extent = { path, start: 0, length: fs.statSync(path).size }
      return [
        { attempt: Number(match[1]), name: match[2] as StreamName, number, streamOffset: number * partBytes, extent },
      ]
    })
    .sort((a, b) => a.attempt - b.attempt || a.name.localeCompare(b.name) * -1 || a.number - b.number)
}

/** What a spool kept of one stream; the names and sizes of its files tell how much there was. */
export function keptOutput(directory: string, attempt: number, name: StreamName, maxBytes: number): KeptOutput {
  const parts = spooledParts(directory, maxBytes).filter((part) => part.attempt === attempt && part.name === name)
  const last = parts.at(-1)
  if (last === undefined) return { totalBytes: 0, omittedBytes: 0, head: [], tail: [] }
  const totalBytes = last.streamOffset + last.extent.length
  const extents = parts.map(({ extent }) => extent)
  if (last.number <= 1) return { totalBytes, omittedBytes: 0, head: extents, tail: [] }
  const head = extents.slice(0, 1)
  const tail = lastBytes(extents.slice(1), Math.ceil(maxBytes / 2))
  return { totalBytes, omittedBytes: totalBytes - lengthOf([...head, ...tail]), head, tail }
}

/** The extents that hold the last `bytes` of these. */
export function lastBytes(extents: readonly Extent[], bytes: number): Extent[] {
  const length = lengthOf(extents)
  return sliceOf(extents, length - bytes, length)
}

export function lengthOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0)
}

/** From `start` to `end` of what these hold one after another. */
export function sliceOf(extents: readonly Extent[], start: number, end: number): Extent[] {
  let at = 0
  return extents.flatMap((extent) => {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, extent.length)]
    at += extent.length
    return to > from ? [{ path: extent.path, start: extent.start + from, length: to - from }] : []
  })
}

export function readExtent({ path, start, length }: Extent): Buffer {
  const fd = fs.openSync(path, 'r')
  try {
    const content = Buffer.alloc(length)
    return content.subarray(0, fs.readSync(fd, content, 0, length, start))
  } finally {
    fs.closeSync(fd)
  }
}

/** Reads an extent without holding all of it at once. */
export function* readInPieces({ path, start, length }: Extent): Generator<Buffer> {
  for (let done = 0; done < length; done += PIECE_BYTES) {
    yield readExtent({ path, start: start + done, length: Math.min(PIECE_BYTES, length - done) })
  }
}

/** Stands between head and tail where something was left out. */
export function omissionLine(bytes: number): string {
  return `[cronwrap: ${bytes} bytes left out]\n`
}
