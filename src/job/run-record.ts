import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { RunFinished } from '../record/event.ts'
import { Spool } from '../record/spool.ts'
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
import { limitCommand, type RecordedJob } from './run-event.ts'

/** A run shorter than this needs no marker that survives a power cut: its end is recorded at once. */
const SYNC_AFTER_MS = 250
const LAST_WORDS_BYTES = 4096

/**
 * The record of one run while it lasts. Nothing here throws: what cannot be recorded becomes a
 * problem that is told once, at the end, and the job runs as if there were no wrapper.
 */
export class RunRecord {
  readonly problems: string[] = []
  readonly #spec: RecordedJob
  readonly #spool: Spool | null
  readonly #streams: SpooledStream[] = []
  readonly #syncTimer: NodeJS.Timeout

  constructor(spec: RecordedJob, runId: string, startedAt: Date) {
    this.#spec = spec
    this.#spool = this.#attempt('the run could not be recorded', () =>
      Spool.create(spec.home, {
        run_id: runId,
        job: spec.job,
        command: limitCommand(spec.command),
        started: toLocalIso(startedAt, 'milliseconds'),
        max_output: spec.options.maxOutputBytes,
        alert_after: spec.options.alertAfter,
        expects_delivery: spec.options.expectDelivery,
        delivery_grace_ms: spec.options.deliveryGraceMs,
      }),
    )
    this.#syncTimer = setTimeout(() => this.#spool?.sync(() => undefined), SYNC_AFTER_MS)
    this.#syncTimer.unref()
  }

  get directory(): string | null {
    return this.#spool?.directory ?? null
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

  /** The end of what an attempt printed on stderr, or else on stdout. */
  lastWords(attempt: number): string {
    if (this.#spool === null) return ''
    const endOf = (name: StreamName): string => {
      const { head, tail } = this.#kept(attempt, name)
      return Buffer.concat(lastBytes([...head, ...tail], LAST_WORDS_BYTES).map(readExtent)).toString('utf8')
    }
    return this.#attempt('the output could not be read back', () => endOf('stderr').trim() || endOf('stdout')) ?? ''
  }

  /** What was kept of a stream, in pieces of bounded size. */
  *replay(attempt: number, name: StreamName): Generator<Buffer> {
    const { head, tail, omittedBytes } = this.#kept(attempt, name)
    for (const extent of head) yield* readInPieces(extent)
    if (omittedBytes > 0) yield Buffer.from(omissionLine(omittedBytes))
    for (const extent of tail) yield* readInPieces(extent)
  }

  #kept(attempt: number, name: StreamName): KeptOutput {
    return keptOutput(this.directory ?? '', attempt, name, this.#spec.options.maxOutputBytes)
  }

  /** Puts the run on record for good; the spool stays for the next sweep if the journal could not take it. */
  async close(event: RunFinished, hurry: () => boolean): Promise<void> {
    clearTimeout(this.#syncTimer)
    const failed = this.#streams.find((stream) => stream.error !== null)
    if (failed !== undefined) this.problems.push(`some output could not be kept: ${messageOf(failed.error)}`)
    this.#attempt('the end could not be noted', () => this.#spool?.noteFinished(event))
    const { closeRun } = await import('../record/close-run.ts')
    const spool =
      this.directory === null ? null : { directory: this.directory, maxBytes: this.#spec.options.maxOutputBytes }
    const problems = await closeRun(this.#spec.home, event, { spool, hurry })
    this.problems.push(...problems)
    if (problems.length === 0) this.#attempt('the spool could not be removed', () => this.#spool?.remove())
  }

  #attempt<T>(what: string, action: () => T): T | null {
    try {
      return action()
    } catch (error) {
      this.problems.push(`${what}: ${messageOf(error)}`)
      return null
    }
  }
}

/**
 * While the job runs: loads what its end needs, and records runs whose wrapper is gone. They come
 * before ours in the journal, so that the last run is the last one there.
 */
export async function prepareClose(home: Home, ownRunId: string): Promise<void> {
  const [{ sweepLostRuns }, { loadLockfile }] = await Promise.all([
    import('../record/sweep.ts'),
    import('../platform/file-lock.ts'),
    import('../record/close-run.ts'),
  ])
  await loadLockfile()
  try {
    await sweepLostRuns(home, { except: ownRunId, now: new Date() })
  } catch {
    // Whatever keeps an old run from being recorded keeps ours too, and is told then.
  }
}
