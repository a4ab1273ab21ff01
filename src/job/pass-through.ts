import type { Writable } from 'node:stream'

/** Above this the job is made to wait, as a pipe would; memory stays bounded. */
const HIGH_WATER_BYTES = 1024 * 1024
const NEWLINE = 0x0a

export interface Source {
  pause(): void
  resume(): void
}

/**
 * Passes bytes on to one of our own streams as they come. A reader that has gone, or a full
 * device, ends the passing on and nothing else: the job is not killed by a broken reader.
 */
export class PassThrough {
  /** What has been passed on ends a line, or is nothing. */
  endsLine = true
  readonly #open: () => Writable
  readonly #waiting = new Set<Source>()
  #stream: Writable | null = null
  #broken = false

  /** @param open called with the first byte: our streams cost start-up time, and many jobs print nothing */
  constructor(open: () => Writable) {
    this.#open = open
  }

  /** @returns whether the bytes are still needed: the reader has not taken them yet */
  write(chunk: Uint8Array, source: Source): boolean {
    if (this.#broken || chunk.byteLength === 0) return false
    const stream = this.#connect()
    this.endsLine = chunk.at(-1) === NEWLINE
    try {
      stream.write(chunk)
    } catch {
      this.giveUp() // A write to a file or device throws instead of emitting.
      return false
    }
    if (stream.writableLength > HIGH_WATER_BYTES) {
      source.pause()
      this.#waiting.add(source)
    }
    return stream.writableLength > 0
  }

  /** Resolves when everything is with the reader, or the reader is gone. */
  async flush(): Promise<void> {
    const stream = this.#stream
    if (stream === null || this.#broken || stream.destroyed || stream.writableLength === 0) return
    await settled(stream, (done) => stream.write('', done))
  }

  /** Passes nothing on any more, and lets the job go on. */
  giveUp(): void {
    this.#broken = true
    this.#release()
  }

  /** Leaves the stream as it was found; an error that is still to come must not end us. */
  disconnect(): void {
    this.#stream?.off('drain', this.#release).off('error', this.#fail)
    this.#stream = null
  }

  #connect(): Writable {
    if (this.#stream === null) {
      this.#stream = this.#open()
      ignoreErrors(this.#stream)
      this.#stream.on('error', this.#fail)
      this.#stream.on('drain', this.#release)
    }
    return this.#stream
  }

  readonly #fail = (): void => this.giveUp()

  readonly #release = (): void => {
    for (const source of this.#waiting) source.resume()
    this.#waiting.clear()
  }
}

const ignored = new WeakSet<Writable>()

/** Once per stream, for good: without a listener an error of a reader that left would end the process. */
function ignoreErrors(stream: Writable): void {
  if (ignored.has(stream)) return
  ignored.add(stream)
  stream.on('error', () => undefined)
}

/**
 * Prints words of ours. An error, of a full device or a closed pipe, is nobody's business.
 * @returns resolves when the reader has them
 */
export function say(stream: Writable, text: string): Promise<void> {
  ignoreErrors(stream)
  return settled(stream, (done) => stream.write(text, done))
}

/** Until the write is done, or the stream has failed or closed. */
function settled(stream: Writable, write: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stream.off('error', finish).off('close', finish)
      resolve()
    }
    stream.once('error', finish).once('close', finish)
    try {
      write(finish)
    } catch {
      finish() // A write to a file or device throws instead of emitting.
    }
  })
}
