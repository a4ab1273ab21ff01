import * as net from 'node:net'
import type { Readable } from 'node:stream'
import { schedule } from '../platform/clock.ts'
import type { Source } from './pass-through.ts'

export type StreamEnd = 'eof' | 'held'

/** @returns whether the bytes are still needed after the call */
export type OnData = (chunk: Buffer, source: Source) => boolean

/** What a pipe holds on Linux: one read empties it. */
const BUFFER_BYTES = 64 * 1024

/** Reads one of the job's streams to its end, or until told to stop. */
export class OutputStream implements Source {
  readonly ended: Promise<StreamEnd>
  readonly #input: Readable
  #jobEnded = false
  #settle: (end: StreamEnd) => void = () => undefined

  constructor(input: Readable | number, onData: OnData) {
    this.ended = new Promise((resolve) => (this.#settle = resolve))
    if (typeof input === 'number') this.#input = readInPlace(input, (chunk) => onData(chunk, this))
    else this.#input = input.on('data', (chunk: Buffer) => onData(chunk, this))
    this.#input.on('close', () => this.#settle('eof'))
    // A broken read end is the end of what we can read.
    this.#input.on('error', () => this.#settle('eof'))
  }

  pause(): void {
    if (!this.#jobEnded) this.#input.pause()
  }

  resume(): void {
    this.#input.resume()
  }

  /**
   * The job has ended: nobody is to be made to wait any more, so what its pipe still holds is read at
   * once. What a process left behind goes on to print is read for `drainMs`, or less if called again.
   */
  drain(drainMs: number): void {
    this.#jobEnded = true
    this.#input.resume()
    const cancel = schedule(() => {
      this.#settle('held')
      this.#input.destroy()
    }, drainMs)
    void this.ended.then(cancel)
  }
}

/**
 * Reads into one buffer over and over, taking another only while a slow reader still needs the bytes. A
 * buffer for each read would cost 80 MB: Node 24 lets thousands of them pile up before it frees any.
 */
function readInPlace(fd: number, onData: (chunk: Buffer) => boolean): net.Socket {
  let buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  let needed = false
  const nextBuffer = (): Buffer => {
    if (needed) buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
    needed = false
    return buffer
  }
  const callback = (length: number): boolean => {
    needed = onData(buffer.subarray(0, length))
    return true
  }
  const options = { fd, readable: true, writable: false, onread: { buffer: nextBuffer, callback } }
  return new net.Socket(options)
}
