import { createSocket, type Socket } from 'node:dgram'
import { Resolver, type LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { cancellableLookup } from '../../src/platform/lookup.ts'

const [A, AAAA] = [1, 28]

/** A name server: bytes of an address, null for a name it does not know, silence. */
type Zone = (type: number) => readonly number[] | null | 'silence'

class NameServer implements Disposable {
  asked = 0
  readonly #socket: Socket

  private constructor(socket: Socket, zone: Zone) {
    this.#socket = socket
    socket.on('message', (query, { port }) => {
      this.asked += 1
      // The question begins behind a header of 12 bytes: the name up to a 0, type, class.
      const end = query.indexOf(0, 12) + 5
      const answer = zone(query.readUInt16BE(end - 4))
      if (answer === 'silence') return
      const header = Buffer.from(query.subarray(0, 12))
      header.writeUInt16BE(answer === null ? 0x8183 : 0x8180, 2)
      header.writeUInt16BE(answer === null ? 0 : 1, 6)
      header.writeUInt16BE(0, 10)
      const record = [0xc0, 12, ...query.subarray(end - 4, end), 0, 0, 0, 60, 0, answer?.length ?? 0, ...(answer ?? [])]
      const parts = [header, query.subarray(12, end), Buffer.from(answer === null ? [] : record)]
      socket.send(Buffer.concat(parts), port, '127.0.0.1')
    })
  }

  static async start(zone: Zone): Promise<NameServer> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new NameServer(socket, zone)
  }

  resolver(): Resolver {
    const resolver = new Resolver({ timeout: 3_000, tries: 2 })
    resolver.setServers([`127.0.0.1:${this.#socket.address().port}`])
    return resolver
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }
}

interface Found {
  readonly error: NodeJS.ErrnoException | null
  readonly address: string | LookupAddress[]
}

function lookUp(server: NameServer, host: string, signal = new AbortController().signal, all = true): Promise<Found> {
  const lookup = cancellableLookup(server.resolver(), signal)
  return new Promise((resolve) => lookup(host, { all }, (error, address) => resolve({ error, address })))
}

test('a name has the addresses of both kinds that the name servers give', async () => {
  using server = await NameServer.start((type) => (type === A ? [10, 0, 0, 1] : [...Array(15).fill(0), 1]))
  const both = [
    { address: '10.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]
  expect(await lookUp(server, 'hc.example.org')).toEqual({ error: null, address: both })
  expect(await lookUp(server, 'hc.example.org', undefined, false)).toEqual({ error: null, address: '10.0.0.1' })
})

test('a kind of address that is never answered does not keep the other', async () => {
  using server = await NameServer.start((type) => (type === AAAA ? 'silence' : [10, 0, 0, 1]))
  const startedAt = performance.now()
  expect((await lookUp(server, 'hc.example.org')).address).toEqual([{ address: '10.0.0.1', family: 4 }])
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})

test('a lookup that nobody answers is called off', async () => {
  using server = await NameServer.start(() => 'silence')
  const controller = new AbortController()
  const startedAt = performance.now()
  const finding = lookUp(server, 'hc.example.org', controller.signal)
  while (server.asked < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  controller.abort()
  expect((await finding).error?.code).toBe('ECANCELLED')
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})

test('the system is asked for a name that the name servers do not know, and first of all for one in /etc/hosts', async () => {
  using server = await NameServer.start(() => null)
  const { error } = await lookUp(server, 'nowhere.invalid')
  expect(error?.syscall).toBe('getaddrinfo')
  expect(server.asked).toBe(2)
  const { address } = await lookUp(server, 'LocalHost')
  expect(['127.0.0.1', '::1']).toContain((address[0] as LookupAddress).address)
  expect(server.asked).toBe(2)
})
