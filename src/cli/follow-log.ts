import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { sleep, toWholeSeconds } from '../platform/clock.ts'
import { logPath } from '../record/execution-log.ts'
import { readItems, type LogEntry } from '../record/log-reader.ts'
import { quoteCommand } from '../record/outcome-text.ts'
import { listRunning, type RunningRun } from '../record/read-records.ts'
import { readExtent, spooledParts, type StreamName } from '../record/spooled-stream.ts'

const POLL_MS = 150

/**
 * Prints what a job's log gains and what its runs print while they are going, until interrupted.
 * A run that was shown live gets only its last lines when its entry arrives.
 */
export async function followLog(home: Home, job: string, write: (chunk: Buffer) => void): Promise<never> {
  const live = new Map<string, LiveRun>()
  const log = new FollowedFile(logPath(home, job))
  for (;;) {
    for (const run of listRunning(home).filter(({ manifest }) => manifest.job === job)) {
      const id = run.manifest.run_id
      if (!live.has(id)) live.set(id, new LiveRun(run, write))
      live.get(id)?.pump()
    }
    log.readNew((item, path) => {
      if (item.kind === 'line') return write(readExtent(item.whole))
      const seen = live.get(item.entry.runId)
      if (seen === undefined) return write(readExtent({ ...item.entry.whole, path }))
      seen.finish(item.entry)
      live.delete(item.entry.runId)
    })
    await sleep(POLL_MS)
  }
}

type Finished = Exclude<
  ReturnType<typeof readItems> extends Generator<infer Item> ? Item : never,
  { kind: 'unfinished' }
>

/** A file that may be renamed and begun anew under us: the old one is read to its end first. */
class FollowedFile {
  readonly #path: string
  #fd: number | null
  #offset: number

  constructor(path: string) {
    this.#path = path
    this.#fd = openOrNull(path)
    this.#offset = this.#fd === null ? 0 : fs.fstatSync(this.#fd).size
  }

  readNew(take: (item: Finished, path: string) => void): void {
    const current = fs.statSync(this.#path, { throwIfNoEntry: false })
    this.#readOpen(take)
    const same = this.#fd !== null && current?.ino === fs.fstatSync(this.#fd).ino
    if (same || current === undefined) return
    if (this.#fd !== null) fs.closeSync(this.#fd)
    this.#fd = openOrNull(this.#path)
    this.#offset = 0
    this.#readOpen(take)
  }

  #readOpen(take: (item: Finished, path: string) => void): void {
    if (this.#fd === null || fs.fstatSync(this.#fd).size === this.#offset) return
    // The descriptor's own name keeps leading to this file when it is renamed.
    const path = `/dev/fd/${this.#fd}`
    for (const item of readItems(path, this.#offset)) {
      if (item.kind === 'unfinished') {
        this.#offset = item.start
        return
      }
      take(item, path)
      const { start, length } = item.kind === 'entry' ? item.entry.whole : item.whole
      this.#offset = start + length
    }
  }
}

/** A run that is going: how much of each stream has been shown. */
class LiveRun {
  readonly #run: RunningRun
  readonly #write: (chunk: Buffer) => void
  readonly #shown = new Map<string, number>()
  #endsLine = true

  constructor(run: RunningRun, write: (chunk: Buffer) => void) {
    this.#run = run
    this.#write = write
    const { started, job, run_id, command } = run.manifest
    write(Buffer.from(`=== ${toWholeSeconds(started)} ${job} run=${run_id} ===\nCOMMAND: ${quoteCommand(command)}\n`))
  }

  pump(): void {
    try {
      for (const part of spooledParts(this.#run.directory, this.#run.manifest.max_output)) {
        const key = `${part.attempt}.${part.name}`
        const from = Math.max(this.#shown.get(key) ?? 0, part.streamOffset)
        const fresh = part.streamOffset + part.extent.length - from
        if (fresh <= 0) continue
        this.#show(readExtent({ ...part.extent, start: from - part.streamOffset, length: fresh }))
        this.#shown.set(key, from + fresh)
      }
    } catch {
      // The run has just ended and its spool is gone: the rest comes with its entry.
    }
  }

  finish(entry: LogEntry): void {
    for (const { attempt, name, totalBytes, head, tail } of entry.sections) {
      const shown = this.#shown.get(`${attempt}.${name satisfies StreamName}`) ?? 0
      const tailFrom = totalBytes - tail.length
      if (shown < head.length)
        this.#show(readExtent({ ...head, start: head.start + shown, length: head.length - shown }))
      const tailShown = Math.max(0, shown - tailFrom)
      if (tail.length > tailShown)
        this.#show(readExtent({ ...tail, start: tail.start + tailShown, length: tail.length - tailShown }))
    }
    const ending = `STATUS: ${entry.status}\nDURATION: ${entry.duration}\n=== END ${entry.runId} ===\n`
    this.#write(Buffer.from(`${this.#endsLine ? '' : '\n'}${ending}`))
  }

  #show(chunk: Buffer): void {
    this.#write(chunk)
    if (chunk.byteLength > 0) this.#endsLine = chunk.at(-1) === 0x0a
  }
}

function openOrNull(path: string): number | null {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch {
    return null // The job has not been recorded yet; its log will come.
  }
}
