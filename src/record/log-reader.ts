import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { logPaths } from './execution-log.ts'
import type { Extent, StreamName } from './spooled-stream.ts'

/** One stream of one attempt, as the log keeps it. */
export interface LogSection {
  readonly attempt: number
  readonly name: StreamName
  readonly totalBytes: number
  /** Everything, unless something was left out. */
  readonly head: Extent
  readonly tail: Extent
}

/** A run's entry: where it lies, and what its first lines say. */
export interface LogEntry {
  readonly runId: string
  readonly started: string
  readonly job: string
  readonly command: string
  readonly status: string
  readonly duration: string
  readonly sections: readonly LogSection[]
  readonly whole: Extent
}

const HEADER = /^=== (\S+) (\S+) run=(\S+) ===$/
const FIELD = /^(COMMAND|STATUS|DURATION|NOTE): (.*)$/
const ATTEMPT = /^--- ATTEMPT (\d+): .* ---$/
const SECTION = /^--- (STDOUT|STDERR) \((\d+) bytes(?:: first (\d+) and last (\d+) kept)?\) ---$/
const WINDOW_BYTES = 64 * 1024
/** No mark of ours is longer; of a longer line only the beginning is looked at. */
const MAX_LINE_BYTES = 64 * 1024

/** All entries of a job that are whole, oldest first. */
export function readLogEntries(home: Home, job: string): LogEntry[] {
  return logPaths(home, job).flatMap((path) => [...readEntries(path)])
}

export function logHolds(home: Home, job: string, runId: string): boolean {
  return readLogEntries(home, job).some((entry) => entry.runId === runId)
}

/** A whole entry; a line of no entry, such as a delivery note; or an entry that ends with the file and may be going on. */
export type LogItem =
  | { readonly kind: 'entry'; readonly entry: LogEntry }
  | { readonly kind: 'line'; readonly whole: Extent }
  | { readonly kind: 'unfinished'; readonly start: number }

export function* readEntries(path: string): Generator<LogEntry> {
  for (const item of readItems(path, 0)) if (item.kind === 'entry') yield item.entry
}

/**
 * Reads a log mark by mark. Output is skipped by its length, so that nothing a job prints can pass
 * for a mark of ours; an entry that was cut short comes as lines.
 */
export function* readItems(path: string, from: number): Generator<LogItem> {
  const lines = new LineReader(path)
  lines.position = from
  try {
    while (!lines.atEnd) {
      const start = lines.position
      const header = HEADER.exec(lines.next())
      const afterHeader = lines.position
      const entry = header === null ? null : readBody(lines, path, start, header)
      if (entry !== null) {
        yield { kind: 'entry', entry }
        continue
      }
      if (header !== null && lines.atEnd) yield { kind: 'unfinished', start }
      lines.position = afterHeader
      yield { kind: 'line', whole: { path, start, length: afterHeader - start } }
    }
  } finally {
    lines.close()
  }
}

function readBody(lines: LineReader, path: string, start: number, header: RegExpExecArray): LogEntry | null {
  const [, started = '', job = '', runId = ''] = header
  const fields = new Map<string, string>()
  const sections: LogSection[] = []
  let attempt = 1
  while (!lines.atEnd) {
    const line = lines.next()
    if (line === `=== END ${runId} ===`) {
      const field = (name: string): string => fields.get(name) ?? ''
      const whole = { path, start, length: lines.position - start }
      return {
        runId,
        started,
        job,
        command: field('COMMAND'),
        status: field('STATUS'),
        duration: field('DURATION'),
        sections,
        whole,
      }
    }
    const field = FIELD.exec(line)
    const attemptMark = ATTEMPT.exec(line)
    const section = SECTION.exec(line)
    if (field !== null && sections.length === 0) fields.set(field[1] ?? '', field[2] ?? '')
    else if (attemptMark !== null) attempt = Number(attemptMark[1])
    else if (section !== null) sections.push(skipSection(lines, path, attempt, section))
    else return null
  }
  return null
}

function skipSection(lines: LineReader, path: string, attempt: number, mark: RegExpExecArray): LogSection {
  const totalBytes = Number(mark[2])
  const headBytes = mark[3] === undefined ? totalBytes : Number(mark[3])
  const tailBytes = mark[4] === undefined ? 0 : Number(mark[4])
  const head = { path, start: lines.position, length: headBytes }
  lines.skip(headBytes)
  if (mark[3] !== undefined) lines.next() // The line that says how much was left out.
  const tail = { path, start: lines.position, length: tailBytes }
  lines.skip(tailBytes)
  return { attempt, name: mark[1] === 'STDOUT' ? 'stdout' : 'stderr', totalBytes, head, tail }
}

/** Lines of a file from any position, read in windows: a log may be larger than memory. */
class LineReader {
  position = 0
  readonly #fd: number
  readonly #size: number
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0

  constructor(path: string) {
    this.#fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    const stat = fs.fstatSync(this.#fd)
    this.#size = stat.isFile() ? stat.size : 0
  }

  get atEnd(): boolean {
    return this.position >= this.#size
  }

  next(): string {
    let text = ''
    for (;;) {
      const window = this.#read()
      const newline = window.indexOf(0x0a)
      const end = newline === -1 ? window.byteLength : newline
      if (text.length < MAX_LINE_BYTES) text += window.toString('utf8', 0, end)
      this.position += newline === -1 ? end : end + 1
      if (newline !== -1 || this.atEnd) return text
    }
  }

  /** Passes over bytes, and over the newline that was added when they do not end in one. */
  skip(bytes: number): void {
    if (bytes === 0) return
    this.position += bytes - 1
    const endsLine = this.#read()[0] === 0x0a
    this.position += endsLine ? 1 : 2
  }

  close(): void {
    fs.closeSync(this.#fd)
  }

  #read(): Buffer {
    const offset = this.position - this.#windowAt
    if (offset >= 0 && offset < this.#window.byteLength) return this.#window.subarray(offset)
    const buffer = Buffer.alloc(Math.max(0, Math.min(WINDOW_BYTES, this.#size - this.position)))
    this.#window = buffer.subarray(0, fs.readSync(this.#fd, buffer, 0, buffer.byteLength, this.position))
    this.#windowAt = this.position
    return this.#window
  }
}
