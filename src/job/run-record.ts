import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { RunFinished } from '../record/event.ts'
import type { LoggedSpool } from '../record/logged-output.ts'
import { redactorFor, type Redactor } from '../record/redact.ts'
import { HEARTBEAT_MS, Spool } from '../record/spool.ts'
import {
  keptOutput,
  lastBytes,
  omissionLine,
  readExtent,
  readInPieces,
  type KeptOutput,
  type SpooledStream,
  type StreamName,
} from '../record/spooled-stream.ts'
import { limitCommand, scheduleOf, type RecordedJob } from './run-event.ts'

/** A run shorter than this needs no marker that survives a power cut: its end is recorded at once. */
const SYNC_AFTER_MS = 250
const LAST_WORDS_BYTES = 64 * 1024

/**
 * The record of one run while it lasts. Nothing here throws: what cannot be recorded becomes a
 * problem that is told once, at the end, and the job runs as if there were no wrapper.
 */
export class RunRecord {
  readonly problems: string[] = []
  readonly redactor: Redactor
  readonly #spec: RecordedJob
  readonly #streams: SpooledStream[] = []
  readonly #timers: NodeJS.Timeout[]
  #spool: Spool | null

  constructor(spec: RecordedJob, runId: string, startedAt: Date) {
    this.#spec = spec
    this.redactor = redactorFor(spec.options)
    this.#spool = this.#attempt('the run could not be recorded', () =>
      Spool.create(spec.home, {
        run_id: runId,
        job: spec.job,
        command: limitCommand(this.redactor.words(spec.command)),
        started: toLocalIso(startedAt, 'milliseconds'),
        max_output: spec.options.maxOutputBytes,
        alert_after: spec.options.alertAfter,
        expects_delivery: spec.options.expectDelivery,
        delivery_grace_ms: spec.options.deliveryGraceMs,
        redact: spec.options.redact,
        no_redact: spec.options.noRedact,
        schedule: scheduleOf(spec.options),
        slow_after_ms: spec.options.slowAfterMs,
      }),
    )
    const beat = (): void => void this.#quietly(() => this.#spool?.beat(new Date()))
    this.#timers = [setTimeout(() => this.#spool?.sync(), SYNC_AFTER_MS), setInterval(beat, HEARTBEAT_MS)]
    for (const timer of this.#timers) timer.unref()
  }

  get directory(): string | null {
    return this.#spool?.directory ?? null
  }

  /** Where the output is until it is discarded. */
  get output(): LoggedSpool | null {
    const { directory, redactor } = this
    return directory === null ? null : { directory, redactor, maxBytes: this.#spec.options.maxOutputBytes }
  }

  openStream(attempt: number, name: StreamName): SpooledStream | null {
    const stream = this.#spool?.openStream(attempt, name) ?? null
    if (stream !== null) this.#streams.push(stream)
    return stream
  }

  noteSignal(signal: NodeJS.Signals): void {
    this.#attempt('the signal could not be noted', () => this.#spool?.noteSignal(signal))
  }

  noteAttempt(attempt: number, end: Parameters<Spool['noteAttempt']>[1]): void {
    this.#attempt('the attempt could not be noted', () => this.#spool?.noteAttempt(attempt, end))
  }

  noteFinished(event: RunFinished): void {
    this.#attempt('the end could not be noted', () => this.#spool?.noteFinished(event))
  }

  /** The end of what an attempt printed on stderr, or else on stdout. */
  lastWords(attempt: number): string {
    const endOf = (name: StreamName): string => {
      const { head, tail, totalBytes } = this.#kept(attempt, name)
      const end = Buffer.concat(lastBytes([...head, ...tail], LAST_WORDS_BYTES).map(readExtent))
      this.redactor.bytes(end, { before: totalBytes > LAST_WORDS_BYTES, after: false })
      return end.toString('utf8')
    }
    return this.#quietly(() => endOf('stderr').trim() || endOf('stdout')) ?? ''
  }

  /** What was kept of a stream, in pieces of bounded size. */
  *replay(attempt: number, name: StreamName): Generator<Buffer> {
    const kept = this.#quietly(() => this.#kept(attempt, name))
    if (kept === null) return
    for (const extent of kept.head) yield* readInPieces(extent)
    if (kept.omittedBytes > 0) yield Buffer.from(omissionLine(kept.omittedBytes))
    for (const extent of kept.tail) yield* readInPieces(extent)
  }

  #kept(attempt: number, name: StreamName): KeptOutput {
    const directory = this.directory
    if (directory === null) return { totalBytes: 0, omittedBytes: 0, head: [], tail: [] }
    return keptOutput(directory, attempt, name, this.#spec.options.maxOutputBytes)
  }

  /** Puts the run on record for good. */
  async commit(event: RunFinished, hurry: () => boolean): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    const failed = this.#streams.find((stream) => stream.error !== null)
    if (failed !== undefined) this.problems.push(`some output could not be kept: ${messageOf(failed.error)}`)
    try {
      const { closeRun } = await import('../record/close-run.ts')
      const closed = closeRun(this.#spec.home, event, { spool: this.output, hurry })
      this.problems.push(...this.redactor.problems, ...(await closed))
    } catch (error) {
      this.problems.push(`the end could not be recorded: ${messageOf(error)}`)
    }
  }

  /** Drops what was kept of the output, unless something of the run is missing on record: then the next sweep tries again. */
  discard(): void {
    const spool = this.#spool
    this.#spool = null
    if (this.problems.length === 0) this.#attempt('the spool could not be removed', () => spool?.remove())
  }

  #attempt<T>(what: string, action: () => T): T | null {
    try {
      return action()
    } catch (error) {
      this.problems.push(`${what}: ${messageOf(error)}`)
      return null
    }
  }

  /** For what is told elsewhere when it goes wrong: a base directory that vanished is noticed at the commit. */
  #quietly<T>(action: () => T): T | null {
    try {
      return action()
    } catch {
      return null
    }
  }
}

/**
 * While the job runs: loads what its end needs, and records runs whose wrapper is gone. They come
 * before ours in the journal, so that the last run is the last one there.
 */
export async function prepareClose(home: Home, ownRunId: string, hurry: () => boolean): Promise<void> {
  try {
    const [{ sweepLostRuns }, { loadLockfile }] = await Promise.all([
      import('../record/sweep.ts'),
      import('../platform/file-lock.ts'),
      import('../record/close-run.ts'),
    ])
    await loadLockfile()
    await sweepLostRuns(home, { except: ownRunId, now: new Date(), hurry })
  } catch {
    // Whatever keeps an old run from being recorded keeps ours too, and is told then.
  }
}
