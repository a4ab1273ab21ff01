import { errnoOf } from '../errors.ts'
import { monotonicMs, schedule } from '../platform/clock.ts'
import { httpPost, type PostAnswer } from '../platform/http-post.ts'
import { retryDelayMs } from './retry.ts'

/** Long enough for a lost packet to be sent three times, short enough for a second try within the usual budget. */
const TRY_MS = 5_000
const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 60_000

/** Enough to read the answer by. */
const ANSWER_BYTES = 100
const HEADERS = { 'content-type': 'text/plain' }

export interface PingRequest {
  readonly url: URL
  readonly body: Buffer
  /** No wait is begun that would not be over within this time; Infinity is no limit. */
  readonly budgetMs: number
  /** Gives up at once when it fires. */
  readonly signal: AbortSignal
  /** Begins nothing more when it fires, no later than `signal`; what the server may have already is waited for. */
  readonly noMore: AbortSignal
  readonly random: () => number
}

export type PingAnswer =
  | {
      readonly delivered: true
      /** How much of a body the server keeps; null when it did not say. */
      readonly bodyLimit: number | null
    }
  /** Names the host, and never the path, which is a secret. */
  | { readonly delivered: false; readonly problem: string }

interface Tried {
  readonly answer: PingAnswer
  /** What is wrong may pass: another try is welcome after this time. Null where it would be in vain. */
  readonly retryAfterMs: number | null
}

/** Where an event of the run is told: the path goes before a query that the URL has. */
export function pingUrl(base: URL, path: string, runId: string): URL {
  const url = new URL(base)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`
  // Not searchParams: they would write what the URL already says in another way.
  url.search = `${url.search}${url.search === '' ? '?' : '&'}rid=${runId}`
  return url
}

/** Tries until the server has answered for good, the budget is spent, or a signal fires. Never throws. */
export async function sendPing(request: PingRequest): Promise<PingAnswer> {
  const { budgetMs, noMore, random } = request
  const deadline = monotonicMs() + budgetMs
  let last: PingAnswer = notDelivered(request.url, 'did not answer in time')
  for (let tries = 1; !noMore.aborted; tries++) {
    const tried = await tryOnce(request)
    // That we broke it off says less than what the server said before.
    if (tried === null) break
    last = tried.answer
    const { retryAfterMs } = tried
    if (retryAfterMs === null) break
    const waitMs = Math.max(retryAfterMs, Math.min(retryDelayMs(tries, FIRST_WAIT_MS, random), MAX_WAIT_MS))
    if (monotonicMs() + waitMs >= deadline) break
    await pause(waitMs, noMore)
  }
  return last
}

/** @returns null when a signal broke it off before there was an answer */
async function tryOnce({ url, body, signal, noMore }: PingRequest): Promise<Tried | null> {
  const tooLate = AbortSignal.timeout(TRY_MS)
  const unsent = new AbortController()
  const callOff = (): void => unsent.abort()
  const keep = (): void => noMore.removeEventListener('abort', callOff)
  noMore.addEventListener('abort', callOff)
  try {
    const answer = await httpPost({
      url,
      headers: HEADERS,
      body,
      signal: AbortSignal.any([signal, tooLate, unsent.signal]),
      maxBytes: ANSWER_BYTES,
      onSent: keep,
    })
    return judge(url, answer)
  } catch (error) {
    if (signal.aborted || unsent.signal.aborted) return null
    if (tooLate.aborted) return { answer: notDelivered(url, 'did not answer in time'), retryAfterMs: 0 }
    return { answer: notDelivered(url, `cannot be reached (${errnoOf(error) ?? 'unknown error'})`), retryAfterMs: 0 }
  } finally {
    keep()
  }
}

function judge(url: URL, { status, headers, beginning, retryAfterMs }: PostAnswer): Tried {
  if (status >= 200 && status < 300) {
    // healthchecks.io says so with status 200.
    const refused = /^OK \(([a-z ]+)\)/.exec(beginning.toString('latin1'))?.[1]
    if (refused !== undefined) return { answer: notDelivered(url, `answered "${refused}"`), retryAfterMs: null }
    const limit = String(headers['ping-body-limit'])
    return {
      answer: { delivered: true, bodyLimit: /^\d{1,9}$/.test(limit) ? Number(limit) : null },
      retryAfterMs: null,
    }
  }
  const mayPass = status >= 500 || status === 408 || status === 429
  return {
    answer: notDelivered(
      url,
      `answered ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`,
    ),
    retryAfterMs: mayPass ? retryAfterMs : null,
  }
}

function notDelivered({ host }: URL, what: string): PingAnswer {
  return { delivered: false, problem: `${host} ${what}` }
}

/** Waits, but no longer than until the signal fires. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const stop = (): void => {
      cancel()
      signal.removeEventListener('abort', stop)
      resolve()
    }
    const cancel = schedule(stop, durationMs)
    signal.addEventListener('abort', stop)
  })
}
