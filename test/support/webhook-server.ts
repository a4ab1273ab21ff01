import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Mood =
  | 'ok'
  | 'error'
  | 'busy'
  | 'refuse'
  | 'hang'
  | 'drop'
  | 'drop-late'
  | 'endless'
  | 'unfinished'
  | 'broken'
  | 'upgrade'
  | 'redirect'

export interface Received {
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly path: string
  readonly mood: Mood
}

/** A server that takes messages, or fails in one of the ways in which servers fail. */
export class WebhookServer implements AsyncDisposable {
  mood: Mood = 'ok'
  answer = 'ok'
  retryAfter: string | null = null
  readonly received: Received[] = []
  readonly #server: Server
  #port = 0

  constructor() {
    this.#server = createServer((request, response) => void this.#take(request, response))
  }

  static async start(): Promise<WebhookServer> {
    const server = new WebhookServer()
    await server.listen()
    return server
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Nothing listens any more, until `listen`. */
  async goAway(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`
  }

  /** What was answered with 200. */
  get accepted(): Received[] {
    return this.received.filter(({ mood }) => mood === 'ok')
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { mood } = this
    if (mood === 'drop') return void request.socket.destroy()
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    this.received.push({ headers: request.headers, body, path: request.url ?? '', mood })
    if (mood === 'hang') return
    if (mood === 'drop-late') return void request.socket.destroy()
    if (mood === 'endless') return flood(response.writeHead(200))
    if (mood === 'unfinished') return void response.writeHead(200).write(this.answer)
    if (mood === 'broken')
      return void request.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n${this.answer}`)
    if (mood === 'upgrade')
      return void request.socket.end('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    const status = { ok: 200, error: 500, busy: 429, refuse: 410, redirect: 302 }[mood]
    response.writeHead(status, this.retryAfter === null ? {} : { 'retry-after': this.retryAfter }).end(this.answer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goAway()
  }
}

function flood(response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  const write = (): void => {
    if (response.destroyed) return
    if (response.write(chunk)) setImmediate(write)
    else response.once('drain', write)
  }
  write()
}
