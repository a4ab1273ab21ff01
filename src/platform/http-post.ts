import { Resolver } from 'node:dns'
import * as http from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import * as https from 'node:https'
import { cancellableLookup } from './lookup.ts'

/** After which another name server is asked. */
const NAME_SERVER_MS = 1_500

export interface PostRequest {
  /** http or https; a user and password in it become a header. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
  /** Breaks it off, wherever it is. */
  readonly signal: AbortSignal
  /** Of the answer more than this is not looked at. */
  readonly maxBytes: number
  /** Called when all of it has gone out: from then on the server may act on it, whatever we do. */
  readonly onSent?: () => void
}

export interface PostAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The answer, or its beginning: a page may have no end. */
  readonly beginning: Buffer
  /** It broke off, or was broken off, before its end and before `maxBytes`. */
  readonly isCut: boolean
  /** What the server asks to wait before another try; 0 when it asks for nothing. */
  readonly retryAfterMs: number
}

/**
 * Posts something and reads the answer. Not with fetch: in each run its first call takes 100 ms and 40 MB more than
 * this. A redirect is not followed: it may lead to a login page that answers 200, or to another host.
 *
 * Once the head of an answer is there, the server has decided: whatever becomes of the rest, that is the answer.
 */
export function httpPost({ url, headers, body, signal, maxBytes, onSent }: PostRequest): Promise<PostAnswer> {
  const { request } = url.protocol === 'https:' ? https : http
  const lookup = cancellableLookup(new Resolver({ timeout: NAME_SERVER_MS, tries: 2 }), signal)
  const all = { 'user-agent': `cronwrap/${CRONWRAP_VERSION}`, ...headers }
  return new Promise((resolve, reject) => {
    let hasHead = false
    const giveUp = (error: Error): void => {
      if (!hasHead) reject(error)
    }
    const outgoing = request(url, { method: 'POST', headers: all, lookup, signal }, (response) => {
      hasHead = true
      void readAnswer(response, maxBytes).then(resolve)
    })
    if (onSent !== undefined) outgoing.on('finish', onSent)
    outgoing.on('error', giveUp)
    // An answer that nobody handles, 101 say, ends without an error.
    outgoing.on('close', () => giveUp(new Error('the connection was closed')))
    outgoing.end(body)
  })
}

function readAnswer(response: IncomingMessage, maxBytes: number): Promise<PostAnswer> {
  const { statusCode: status = 0, headers } = response
  const chunks: Buffer[] = []
  let bytes = 0
  // Read to its end, a short answer leaves the connection to the next request.
  response.on('data', (chunk: Buffer) => {
    if (bytes < maxBytes) chunks.push(chunk)
    bytes += chunk.byteLength
    // It may have no end.
    if (bytes >= maxBytes) response.destroy()
  })
  return new Promise((resolve) => {
    response.on('error', () => undefined) // It is closed then.
    response.on('close', () =>
      resolve({
        status,
        headers,
        beginning: Buffer.concat(chunks).subarray(0, maxBytes),
        isCut: !response.complete && bytes < maxBytes,
        retryAfterMs: parseRetryAfter(headers['retry-after'], Date.now()),
      }),
    )
  })
}

/** What a server asks for in seconds or as a date; 0 when it asks for nothing. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0
  const delayMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isFinite(delayMs) ? Math.max(delayMs, 0) : 0
}
