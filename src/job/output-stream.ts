import * as net from 'node:net'
import type { Readable } from 'node:stream'
import type { Source } from './pass-through.ts'

export type StreamEnd = 'eof' | 'held'

/** Reads one of the job's streams to its end, or until told to stop. */
export class OutputStream implements Source {
  readonly ended: Promise<StreamEnd>
  readonly #input: Readable
  #paused = false
  #abandonAt: (() => void) | null = null
  #settle: (end: StreamEnd) => void = () => undefined

  constructor(input: Readable | number, onData: (chunk: Buffer, source: Source) => void) {
    this.#input = typeof input === 'number' ? new net.Socket({ fd: input, readable: true, writable: false }) : input
    this.ended = new Promise((resolve) => (this.#settle = resolve))
    this.#input.on('data', (chunk: Buffer) => onData(chunk, this))
    this.#input.on('end', () => this.#settle('eof'))
    this.#input.on('close', () => this.#settle('eof'))
    // A broken read end is the end of what we can read.
    this.#input.on('error', () => this.#settle('eof'))
  }

  pause(): void {
    this.#paused = true
    this.#input.pause()
  }

  resume(): void {
    this.#paused = false
    this.#input.resume()
    this.#abandonAt?.()
  }

  /**
   * Stops reading `drainMs` from now if the end has not come. While a slow reader makes us wait, the
   * time stands still: what the job has written before its end must not be lost.
   */
  abandonAfter(drainMs: number): void {
    const stop = (): void => {
      if (this.#paused) return
      this.#settle('held')
      this.#input.destroy()
    }
    const start = (): void => {
      const timer = setTimeout(stop, drainMs)
      void this.ended.then(() => clearTimeout(timer))
    }
    this.#abandonAt = start
    if (!this.#paused) start()
  }
}
