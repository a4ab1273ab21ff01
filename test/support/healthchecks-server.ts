import { randomUUID } from 'node:crypto'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'

export type PingKind = 'success' | 'start' | 'fail' | 'log'

export interface ReceivedPing {
  readonly kind: PingKind
  readonly rid: string | null
  readonly exitStatus: number | null
  readonly body: Buffer
  readonly atMs: number
  /** From the start with the same rid, of a success or a failure; null where there was none. */
  readonly durationMs: number | null
}

/** A check and what it has heard. */
export class Check {
  readonly uuid: string = randomUUID()
  readonly slug: string
  readonly pings: ReceivedPing[] = []
  #health: 'new' | 'up' | 'down' = 'new'
  #start: { readonly rid: string | null } | null = null

  constructor(slug: string) {
    this.slug = slug
  }

  get status(): 'new' | 'started' | 'up' | 'down' {
    return this.#start === null ? this.#health : 'started'
  }

  receive(kind: PingKind, rid: string | null, exitStatus: number | null, body: Buffer): void {
    const atMs = Date.now()
    if (kind === 'start') this.#start = { rid }
    if (kind === 'success' || kind === 'fail') {
      const matches = this.#start?.rid === rid
      if (matches || kind === 'fail' || rid === null) this.#start = null
      this.#health = kind === 'fail' ? 'down' : 'up'
    }
    this.pings.push({ kind, rid, exitStatus, body, atMs, durationMs: this.#durationOf(kind, rid, atMs) })
  }

  #durationOf(kind: PingKind, rid: string | null, atMs: number): number | null {
    if (kind === 'start' || kind === 'log') return null
    const last = this.pings.findLast((ping) => ping.rid === rid && ping.kind !== 'log')
    return last?.kind === 'start' ? atMs - last.atMs : null
  }
}

/** A request as it came in, whatever became of it. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  /** Nobody waits for the answer any more: the client broke the connection off. */
  brokenOff: boolean
}

/**
 * What becomes of a request: an answer with that status, which may have no end, the usual after a while, none at all, or
 * a connection that is cut.
 */
export type Fault =
  | { readonly status: number; readonly headers?: http.OutgoingHttpHeaders; readonly unfinished?: true }
  | { readonly delayMs: number }
  | 'hang'
  | 'drop'

/**
 * A stand-in of the pinging part of healthchecks. As its documentation (https://healthchecks.io/docs/http_api/)
 * and its source (hc/api/views.py, hc/api/models.py) have it:
 * - `/{uuid}` or `/{ping key}/{slug}` is a success; `/start`, `/fail`, `/log` and `/{exit status}` may follow; 0 is
 *   a success, 1 to 255 a failure, above that is 400 `invalid url format`; HEAD, GET and POST all do.
 * - `?rid=` is a UUID in its canonical form, else 400 `invalid uuid format`. The time from the start to the end with the same
 *   rid is the duration. A success with another rid than the last start leaves the check started; a failure never does.
 * - A check is `new`, then `up` or `down`; `start` shows it as started and changes nothing else, `log` nothing at all.
 * - 200 `OK` with `Ping-Body-Limit: 100000`: so much of a body is kept, from its beginning.
 * - 404 `not found`; healthchecks.io itself answers 200 `OK (not found)`. A slug with `?create=1` makes its
 *   check: 201 `Created`. 409 `ambiguous slug` where two checks have it.
 */
export class HealthchecksServer implements AsyncDisposable {
  readonly pingKey = 'fqOOd6-F4MMNuCEnzTU01w'
  readonly requests: SeenRequest[] = []
  readonly #checks: Check[] = []
  readonly #server: http.Server
  readonly #bodyLimit: number
  readonly #hosted: boolean
  #faults: Array<{ readonly fault: Fault; readonly path: RegExp; left: number }> = []
  #port = 0

  private constructor({ bodyLimit = 100_000, hosted = false }: { bodyLimit?: number; hosted?: boolean }) {
    this.#bodyLimit = bodyLimit
    this.#hosted = hosted
    this.#server = http.createServer((request, response) => void this.#serve(request, response))
  }

  /** @param options `hosted` answers as healthchecks.io does where that differs from an installation of one's own */
  static async start(options: { bodyLimit?: number; hosted?: boolean } = {}): Promise<HealthchecksServer> {
    const server = new HealthchecksServer(options)
    await server.comeBack()
    return server
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  addCheck(slug = 'job'): Check {
    const check = new Check(slug)
    this.#checks.push(check)
    return check
  }

  checksWithSlug(slug: string): Check[] {
    return this.#checks.filter((check) => check.slug === slug)
  }

  urlOf(check: Check): string {
    return `${this.origin}/${check.uuid}`
  }

  slugUrl(slug: string): string {
    return `${this.origin}/${this.pingKey}/${slug}`
  }

  /** The next `times` requests whose path matches fare so. */
  disturb(fault: Fault, times = Infinity, path = /./): void {
    this.#faults.push({ fault, path, left: times })
  }

  /** Connections are cut, and new ones refused. */
  async goAway(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  /** Again at the same port. */
  async comeBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Paths below a check's own, of what was asked for, in order. */
  events(): string[] {
    return this.requests.map(({ path }) => path.replace(/\?.*/, '').split('/').at(-1) ?? '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goAway()
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url = '', headers } = request
    const seen: SeenRequest = { method, path: url, headers, body: Buffer.concat(chunks), brokenOff: false }
    response.on('close', () => (seen.brokenOff = !response.writableFinished))
    this.requests.push(seen)
    const disturbance = this.#faults.find(({ path, left }) => left > 0 && path.test(url))
    if (disturbance === undefined) return this.#answer(seen, response)
    disturbance.left -= 1
    const { fault } = disturbance
    if (fault === 'drop') return void request.socket.destroy()
    if (fault === 'hang') return
    if ('delayMs' in fault) return void setTimeout(() => this.#answer(seen, response), fault.delayMs)
    response.writeHead(fault.status, fault.headers).write('a page of the server')
    if (fault.unfinished !== true) response.end()
  }

  #answer({ method, path, body }: SeenRequest, response: http.ServerResponse): void {
    const say = (status: number, text: string): void => {
      response.writeHead(status, {
        'content-type': 'text/plain; charset=utf-8',
        ...(status < 300 ? { 'ping-body-limit': String(this.#bodyLimit), 'access-control-allow-origin': '*' } : {}),
      })
      response.end(method === 'HEAD' ? '' : text)
    }
    const url = new URL(path, this.origin)
    const match =
      /^\/(?:(?<uuid>[0-9a-f-]{36})|(?<key>[\w-]{22})\/(?<slug>[a-z0-9_-]+))(?:\/(?<event>[^/]+))?\/?$/.exec(
        url.pathname,
      )
    const { uuid, key, slug = '', event } = match?.groups ?? {}
    if (match === null || !['HEAD', 'GET', 'POST'].includes(method)) return say(404, 'not found')
    const exitStatus = event !== undefined && /^\d+$/.test(event) ? Number(event) : null
    if (exitStatus !== null && exitStatus > 255) return say(400, 'invalid url format')
    if (exitStatus === null && ![undefined, 'start', 'fail', 'log'].includes(event)) return say(404, 'not found')
    const rid = url.searchParams.getAll('rid').at(-1) ?? null
    if (rid !== null && !UUID.test(rid)) return say(400, 'invalid uuid format')

    const found = uuid === undefined ? this.checksWithSlug(slug) : this.#checks.filter((check) => check.uuid === uuid)
    if (found.length > 1) return say(409, 'ambiguous slug')
    const creates = found.length === 0 && key === this.pingKey && url.searchParams.get('create') === '1'
    const check = creates ? this.addCheck(slug) : found[0]
    if (check === undefined || (key !== undefined && key !== this.pingKey))
      return this.#hosted && key === undefined ? say(200, 'OK (not found)') : say(404, 'not found')
    const kind = exitStatus === null ? ((event ?? 'success') as PingKind) : exitStatus === 0 ? 'success' : 'fail'
    check.receive(kind, rid, exitStatus, body.subarray(0, this.#bodyLimit))
    say(creates ? 201 : 200, creates ? 'Created' : 'OK')
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
