import { monotonicMs, schedule } from '../platform/clock.ts'
import type { RunFinished } from '../record/event.ts'
import { lastBytesOf, lengthOfPieces, loggedStream, printedBytes, type LoggedSpool } from '../record/logged-output.ts'
import { describeDuration, describeEnd } from '../record/outcome-text.ts'
import { omissionLine } from '../record/spooled-stream.ts'
import { pause, pingUrl, sendPing, type PingAnswer, type PingRequest } from './ping-request.ts'

/** What healthchecks.io keeps of a body, from its beginning; a server that keeps less says so. */
const MAX_BODY_BYTES = 100_000
/** The job has the processors to itself while it starts, and needs no start told when it is over by then. */
const START_AFTER_MS = 50
/** Room for the line that says how much is left out. */
const OMISSION_LINE_BYTES = 64
/** After a signal that asks us to end. */
const LAST_PING_MS = 200
/** Of the time for the last ping, what those before it may take when they are on their way: the end must have some too. */
const SHARE_OF_OTHERS = 0.5

export interface PingTarget {
  /** Of the check, with http or https. */
  readonly url: string
  readonly runId: string
  /** What all pings may add to the run's time. */
  readonly timeoutMs: number
  /** Resolves with the first signal that asks us to end. */
  readonly interrupted: Promise<void>
  readonly random: () => number
}

/**
 * The pings of one run: what a monitoring server that speaks the protocol of healthchecks.io
 * (https://healthchecks.io/docs/http_api/) hears of it, in order. The end is what counts: only that it could not be
 * told is a problem, and whatever was not told before is given up for it.
 */
export class Pings {
  readonly #target: PingTarget
  readonly #url: URL
  /** Fires when the run has ended. */
  readonly #over = new AbortController()
  /** Fires when the end has waited long enough for what was on its way. */
  readonly #patience = new AbortController()
  #bodyLimit = MAX_BODY_BYTES
  #started = false
  #told: Promise<unknown> = Promise.resolve()
  #last: Promise<string | null> = Promise.resolve(null)

  /** @throws TypeError when the URL is none */
  constructor(target: PingTarget) {
    this.#target = target
    this.#url = new URL(target.url)
  }

  /** The job runs. Tries until the end of the run, in the background. */
  start(): void {
    if (this.#started) return
    this.#started = true
    this.#tell('start', () => Buffer.alloc(0), START_AFTER_MS)
  }

  /** An attempt has failed and another follows. */
  retry(attempt: number, end: Parameters<typeof describeEnd>[0], spool: LoggedSpool | null): void {
    const headline = `attempt ${attempt} failed: ${describeEnd(end)}\n`
    const printed = { stdout: 0, stderr: 0 }
    this.#tell('log', () => compose(headline, { spool, attempt, printed }, this.#bodyLimit))
  }

  /** The run is on record. Returns when what it printed is not needed any more; `settled` tells how it went. */
  end(event: RunFinished, spool: LoggedSpool | null): void {
    const printed = { stdout: printedBytes(event, 'stdout'), stderr: printedBytes(event, 'stderr') }
    const body = compose(headlineOf(event), { spool, attempt: event.attempts, printed }, this.#bodyLimit)
    this.#last = this.#tellLast('the end', endPath(event), body)
  }

  /** Another run of the job is still going, so this one was left out. */
  skip(runningRunId: string): void {
    const body = Buffer.from(`skipped, because run ${runningRunId} of the job is still going\n`)
    this.#last = this.#tellLast('the skipped run', 'log', body)
  }

  /** Resolves when nothing is left to do. @returns why the end is not known to the server; null when it is */
  settled(): Promise<string | null> {
    return this.#last
  }

  /** One after another, so that the server hears of them in order; a body is made when its turn comes. */
  #tell(path: string, makeBody: () => Buffer, afterMs = 0): void {
    const [noMore, signal] = [this.#over.signal, this.#patience.signal]
    this.#told = this.#told.then(async () => {
      await pause(afterMs, noMore)
      if (noMore.aborted) return
      const answer = await this.#send(path, { body: makeBody(), signal, noMore, budgetMs: Infinity })
      if (answer.delivered) this.#bodyLimit = Math.min(answer.bodyLimit ?? MAX_BODY_BYTES, MAX_BODY_BYTES)
    })
  }

  async #tellLast(what: string, path: string, body: Buffer): Promise<string | null> {
    const { timeoutMs, interrupted } = this.#target
    const deadline = monotonicMs() + timeoutMs
    const time = new AbortController()
    const cancels: Array<() => void> = []
    const allow = (leftMs: number): void => {
      cancels.push(schedule(() => this.#patience.abort(), leftMs * SHARE_OF_OTHERS))
      cancels.push(schedule(() => time.abort(), leftMs))
    }
    allow(timeoutMs)
    void interrupted.then(() => allow(LAST_PING_MS))
    this.#over.abort()
    // A start that the server reads after the end would leave the check started, and later down.
    await this.#told
    const { signal } = time
    const answer = await this.#send(path, { body, signal, noMore: signal, budgetMs: deadline - monotonicMs() })
    for (const cancel of cancels) cancel()
    return answer.delivered ? null : `${what} could not be pinged: ${answer.problem}`
  }

  #send(path: string, request: Omit<PingRequest, 'url' | 'random'>): Promise<PingAnswer> {
    const { runId, random } = this.#target
    return sendPing({ ...request, url: pingUrl(this.#url, path, runId), random })
  }
}

/** The exit code of a run that ended by itself, and `fail` for one that has none, or that must not look like a success. */
export function endPath({ status, reason, exit_code }: Pick<RunFinished, 'status' | 'reason' | 'exit_code'>): string {
  if (status === 'success') return '0'
  return reason === 'exit' && exit_code !== null && exit_code !== 0 ? String(exit_code) : 'fail'
}

function headlineOf(event: RunFinished): string {
  const attempts = event.attempts > 1 ? `${event.attempts} attempts, ` : ''
  const line = `${event.status} (${describeEnd(event)}) after ${attempts}${describeDuration(event.duration_ms)}\n`
  // A command that could not be started has printed nothing that says why.
  return ['not-found', 'not-executable'].includes(event.reason) ? `${line}${event.last_error ?? ''}\n` : line
}

interface Printed {
  readonly spool: LoggedSpool | null
  readonly attempt: number
  readonly printed: { readonly stdout: number; readonly stderr: number }
}

/** A headline, and the end of what an attempt printed as it stands in the log, in at most `maxBytes`. */
function compose(headline: string, output: Printed, maxBytes: number): Buffer {
  const head = Buffer.from(headline)
  return Buffer.concat([head, lastOutput(output, maxBytes - head.byteLength)]).subarray(0, maxBytes)
}

const NOT_SENT = Buffer.from('[cronwrap: the output is not sent: it could not be searched for secrets]\n')

function lastOutput({ spool, attempt, printed }: Printed, maxBytes: number): Buffer {
  try {
    const streams = (['stdout', 'stderr'] as const).map((name) => loggedStream(spool, attempt, name, printed[name]))
    const pieces = streams.flatMap((stream) => stream.pieces)
    const total = lengthOfPieces(pieces)
    // A pattern that failed in the log would only fail again, after a while.
    if (isBlind(spool)) return NOT_SENT
    const all = total <= maxBytes
    const end = lastBytesOf(pieces, all ? total : Math.max(maxBytes - OMISSION_LINE_BYTES, 0))
    if (isBlind(spool)) return NOT_SENT
    return all ? end : afterOmission(total, end)
  } catch {
    return NOT_SENT
  }
}

function isBlind(spool: LoggedSpool | null): boolean {
  return spool !== null && spool.redactor.problems.length > 0
}

/** A server may keep no text that begins inside a character. */
function afterOmission(total: number, end: Buffer): Buffer {
  const start = end.subarray(0, 4).findIndex((byte) => (byte & 0xc0) !== 0x80)
  const whole = end.subarray(Math.max(start, 0))
  return Buffer.concat([Buffer.from(omissionLine(total - whole.byteLength)), whole])
}
