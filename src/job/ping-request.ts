import type { IncomingHttpHeaders } from 'node:http'
import { errnoOf } from '../errors.ts'
import { monotonicMs, schedule } from '../platform/clock.ts'
import { cancellableLookup } from '../platform/lookup.ts'
import { retryDelayMs } from './retry.ts'

/** Long enough for a lost packet to be sent three times, short enough for a second try within the usual budget. */
const TRY_MS = 5_000
/** After which another name server is asked. */
const NAME_SERVER_MS = 1_500
const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 60_000

export interface PingRequest {
  readonly url: URL
  readonly body: Buffer
  /** No wait is begun that would not be over within this time; Infinity is no limit. */
  readonly budgetMs: number
  /** Gives up at once when it fires. */
  readonly signal: AbortSignal
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

/** Tries until the server has answered for good, the budget is spent, or the signal fires. Never throws. */
export async function sendPing(request: PingRequest): Promise<PingAnswer> {
  const { budgetMs, signal, random } = request
  const deadline = monotonicMs() + budgetMs
  let last: PingAnswer = notDelivered(request.url, 'did not answer in time')
  for (let tries = 1; !signal.aborted; tries++) {
    const { answer, retryAfterMs } = await tryOnce(request)
    // That we broke it off says less than what the server said before.
    if (signal.aborted && !answer.delivered) break
    last = answer
    if (retryAfterMs === null) break
    const waitMs = Math.max(retryAfterMs, Math.min(retryDelayMs(tries, FIRST_WAIT_MS, random), MAX_WAIT_MS))
    if (monotonicMs() + waitMs >= deadline) break
    await pause(waitMs, signal)
  }
  return last
}

async function tryOnce({ url, body, signal }: PingRequest): Promise<Tried> {
  const tooLate = AbortSignal.timeout(TRY_MS)
  try {
    return judge(url, await post(url, body, AbortSignal.any([signal, tooLate])))
  } catch (error) {
    if (tooLate.aborted) return { answer: notDelivered(url, 'did not answer in time'), retryAfterMs: 0 }
    return { answer: notDelivered(url, `cannot be reached (${errnoOf(error) ?? 'unknown error'})`), retryAfterMs: 0 }
  }
}

interface Response {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Enough to read the answer by; a page may have no end. */
  readonly beginning: string
}

/**
 * Not with fetch: in each run its first call takes 100 ms and 40 MB more than this. A redirect is not followed: it may
 * lead to a login page that answers 200, or to another host, which must not get the output.
 */
function post(url: URL, body: Buffer, signal: AbortSignal): Promise<Response> {
  // import() of one of Node's own modules would load the machinery of ES modules for it.
  const { Resolver } = process.getBuiltinModule('node:dns')
  const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
  const headers = { 'content-type': 'text/plain', 'user-agent': `cronwrap/${CRONWRAP_VERSION}` }
  return new Promise((resolve, reject) => {
    const lookup = cancellableLookup(new Resolver({ timeout: NAME_SERVER_MS, tries: 2 }), signal)
    const outgoing = request(url, { method: 'POST', headers, lookup, signal }, (response) => {
      const answer = (beginning: string): void => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, beginning })
        // Read to its end, a short answer leaves the connection to the next ping.
        response.resume()
      }
      response.once('data', (chunk: Buffer) => answer(chunk.toString('latin1', 0, 100)))
      response.once('end', () => answer(''))
      response.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function judge(url: URL, { status, headers, beginning }: Response): Tried {
  if (status >= 200 && status < 300) {
    // healthchecks.io says so with status 200.
    const refused = /^OK \(([a-z ]+)\)/.exec(beginning)?.[1]
    if (refused !== undefined) return { answer: notDelivered(url, `answered "${refused}"`), retryAfterMs: null }
    const limit = String(headers['ping-body-limit'])
    return {
      answer: { delivered: true, bodyLimit: /^\d{1,9}$/.test(limit) ? Number(limit) : null },
      retryAfterMs: null,
    }
  }
  const mayPass = status >= 500 || status === 408 || status === 429
  return {
    answer: notDelivered(url, `answered ${status}`),
    retryAfterMs: mayPass ? parseRetryAfter(headers['retry-after'], Date.now()) : null,
  }
}

/** What a server asks for in seconds or as a date; 0 when it asks for nothing. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0
  const delayMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isFinite(delayMs) ? Math.max(delayMs, 0) : 0
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
