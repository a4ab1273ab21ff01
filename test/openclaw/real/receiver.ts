import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bodyOf } from './model-server.ts'

export interface Delivered {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

/** Takes what OpenClaw delivers by webhook. */
export interface Receiver extends AsyncDisposable {
  readonly url: (job: string) => string
  readonly deliveredTo: (url: string) => readonly Delivered[]
}

export async function startReceiver(): Promise<Receiver> {
  const all: Delivered[] = []
  const server = createServer((request, response) => {
    bodyOf(request).then(
      (body) => {
        all.push({ path: request.url ?? '', body: JSON.parse(body) as Delivered['body'] })
        response.writeHead(204).end()
      },
      () => response.writeHead(400).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: (job) => `${base}/${job}`,
    deliveredTo: (url) => all.filter(({ path }) => base + path === url),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
