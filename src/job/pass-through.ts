import type { Writable } from 'node:stream'

/** Above this the job is made to wait, as a pipe would; memory stays bounded. */
const HIGH_WATER_BYTES = 1024 * 1024

export interface Source {
  pause(): void
  resume(): void
}

/**
 * Passes bytes on to one of our own streams as they come. A reader that has gone, or a full
 * device, ends the passing on and nothing else: the job is not killed by a broken reader.
 */
export class PassThrough {
  readonly #open: () => Writable
  #stream: Writable | null = null
  #broken = false
  readonly #waiting = new Set<Source>()

  /** @param open called with the first byte: our streams cost start-up time, and many jobs print nothing */
  constructor(open: () => Writable) {
    this.#open = open
  }

  write(chunk: Uint8Array, source: Source): void {
    if (this.#broken) return
    const stream = this.#connect()
    try {
      stream.write(chunk)
    } catch {
      this.#breakOff() // A write to a file or device throws instead of emitting.
      return
    }
    if (stream.writableLength > HIGH_WATER_BYTES) {
      source.pause()
      this.#waiting.add(source)
    }
  }

  /** Resolves when everything is with the reader, or the reader is gone. */
  async flush(): Promise<void> {
    while (!this.#broken && this.#stream !== null && this.#stream.writableLength > 0) {
      await new Promise<void>((resolve) => {
        this.#stream?.write('', () => resolve())
        this.#stream?.once('error', () => resolve())
      })
    }
  }

  #connect(): Writable {
    if (this.#stream === null) {
      this.#stream = this.#open()
      this.#stream.on('error', () => this.#breakOff())
      this.#stream.on('drain', () => this.#release())
    }
    return this.#stream
  }

  #breakOff(): void {
    this.#broken = true
    this.#release()
  }

  #release(): void {
    for (const source of this.#waiting) source.resume()
    this.#waiting.clear()
  }
}
