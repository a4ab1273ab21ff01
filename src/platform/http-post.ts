import { Resolver } from 'node:dns'
import * as http from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
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
}

export interface PostAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The answer, or its beginning: a page may have no end. */
  readonly beginning: Buffer
}

/**
 * Posts something and reads the answer. Not with fetch: in each run its first call takes 100 ms and 40 MB more than
 * this. A redirect is not followed: it may lead to a login page that answers 200, or to another host.
 */
export function httpPost({ url, headers, body, signal, maxBytes }: PostRequest): Promise<PostAnswer> {
  const { request } = url.protocol === 'https:' ? https : http
  const lookup = cancellableLookup(new Resolver({ timeout: NAME_SERVER_MS, tries: 2 }), signal)
  const all = { 'user-agent': `cronwrap/${CRONWRAP_VERSION}`, ...headers }
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', headers: all, lookup, signal }, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const answer = (): void => {
        const beginning = Buffer.concat(chunks).subarray(0, maxBytes)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, beginning })
      }
      // Read to its end, a short answer leaves the connection to the next request.
      response.on('data', (chunk: Buffer) => {
        if (bytes < maxBytes) chunks.push(chunk)
        bytes += chunk.byteLength
        if (bytes < maxBytes) return
        answer()
        // It may have no end.
        response.destroy()
      })
      response.on('end', answer)
      response.on('error', reject)
    })
    outgoing.on('error', reject)
    // An answer that nobody handles, 101 say, ends without an error.
    outgoing.on('close', () => reject(new Error('the connection was closed')))
    outgoing.end(body)
  })
}
