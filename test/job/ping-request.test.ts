import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { endPath } from '../../src/job/ping.ts'
import { pingUrl, sendPing } from '../../src/job/ping-request.ts'
import { parseRetryAfter } from '../../src/platform/http-post.ts'
import { HealthchecksServer } from '../support/healthchecks-server.ts'
import { until } from '../support/rig.ts'

const RID = '01a20d73-6ac3-7204-af71-73fe7f605920'
const calm = (): number => 0.5

function request(url: string, options: { budgetMs?: number; signal?: AbortSignal } = {}) {
  const { budgetMs = 10_000, signal = new AbortController().signal } = options
  return { url: new URL(url), body: Buffer.from('whole'), budgetMs, signal, noMore: signal, random: calm }
}

test.each([
  ['https://hc-ping.com/uuid', `https://hc-ping.com/uuid/start?rid=${RID}`],
  ['https://hc-ping.com/uuid/', `https://hc-ping.com/uuid/start?rid=${RID}`],
  ['https://hc.example.org/ping/key/slug?create=1', `https://hc.example.org/ping/key/slug/start?create=1&rid=${RID}`],
  ['https://example.org/p//?q=a%20b+c&d', `https://example.org/p/start?q=a%20b+c&d&rid=${RID}`],
  ['http://example.org', `http://example.org/start?rid=${RID}`],
])('the path goes before the query of %s', (base, expected) => {
  expect(pingUrl(new URL(base), 'start', RID).href).toBe(expected)
})

test.each([
  ['success', 'exit', 0, '0'],
  ['success', 'exit', 3, '0'],
  ['error', 'exit', 3, '3'],
  ['error', 'exit', 255, '255'],
  ['error', 'exit', 0, 'fail'],
  ['error', 'signal', 137, 'fail'],
  ['error', 'timeout', 124, 'fail'],
  ['error', 'interrupted', 7, 'fail'],
  ['error', 'not-found', 127, 'fail'],
  ['error', 'not-executable', 126, 'fail'],
] as const)('%s by %s %i is /%s', (status, reason, exitCode, path) => {
  expect(endPath({ status, reason, exit_code: exitCode })).toBe(path)
})

test('a wait that a server asks for is read as seconds or as a date', () => {
  const now = Date.parse('2026-05-26T12:00:00Z')
  expect(parseRetryAfter('7', now)).toBe(7_000)
  expect(parseRetryAfter('Tue, 26 May 2026 12:00:30 GMT', now)).toBe(30_000)
  expect(parseRetryAfter('Tue, 26 May 2026 11:00:00 GMT', now)).toBe(0)
  expect(parseRetryAfter('soon', now)).toBe(0)
  expect(parseRetryAfter(undefined, now)).toBe(0)
})

test('what may pass is tried again after the wait that was asked for; what cannot be over in time is not begun', async () => {
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb({ status: 429, headers: { 'retry-after': '1' } }, 1)
  const startedAt = performance.now()
  expect(await sendPing(request(server.urlOf(check)))).toEqual({ delivered: true, bodyLimit: 100_000 })
  expect(performance.now() - startedAt).toBeGreaterThan(990)
  expect(server.requests.map(({ body }) => String(body))).toEqual(['whole', 'whole'])

  server.disturb({ status: 503, headers: { 'retry-after': '60' } }, 1)
  const answer = await sendPing(request(server.urlOf(check)))
  expect(answer).toEqual({ delivered: false, problem: `${new URL(server.origin).host} answered 503` })
  expect(server.requests).toHaveLength(3)
})

test.each([
  [
    'a redirect, which may be to a login page',
    { status: 302, headers: { location: '/login' } },
    'answered 302, and redirects are not followed',
  ],
  ['a refusal', { status: 403 }, 'answered 403'],
] as const)('%s is final', async (_, fault, problem) => {
  await using server = await HealthchecksServer.start()
  server.disturb(fault)
  const answer = await sendPing(request(server.urlOf(server.addCheck())))
  expect(answer).toEqual({ delivered: false, problem: `${new URL(server.origin).host} ${problem}` })
  expect(server.requests).toHaveLength(1)
})

test.each([
  [200, { delivered: true, bodyLimit: null }],
  [404, { delivered: false, problem: expect.stringContaining('answered 404') as string }],
] as const)('an answer of %i counts though it has no end', async (status, expected) => {
  await using server = await HealthchecksServer.start()
  server.disturb({ status, unfinished: true })
  const signal = AbortSignal.timeout(300)
  expect(await sendPing(request(server.urlOf(server.addCheck()), { signal }))).toEqual(expected)
  expect(server.requests).toHaveLength(1)
})

test('healthchecks.io says "not found" with status 200', async () => {
  await using server = await HealthchecksServer.start({ hosted: true })
  const answer = await sendPing(request(`${server.origin}/${RID}`))
  expect(answer).toEqual({ delivered: false, problem: `${new URL(server.origin).host} answered "not found"` })
})

test('what the server said before outlives an end of ours, in the midst of a wait', async () => {
  await using server = await HealthchecksServer.start()
  server.disturb({ status: 500, headers: { 'retry-after': '600' } })
  const controller = new AbortController()
  const sending = sendPing(request(server.urlOf(server.addCheck()), { budgetMs: Infinity, signal: controller.signal }))
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  setTimeout(() => controller.abort(), 50)
  expect(await sending).toMatchObject({ delivered: false, problem: expect.stringContaining('answered 500') as string })
})

test('when no more is to begin, what the server has read is waited for, and what has not gone out is called off', async () => {
  await using server = await HealthchecksServer.start()
  const never = new AbortController().signal
  const noMore = new AbortController()
  server.disturb({ delayMs: 200 })
  const read = sendPing({ ...request(server.urlOf(server.addCheck()), { signal: never }), noMore: noMore.signal })
  await until('it is read', () => server.requests.length === 1)
  // Takes the connection, and says nothing of the TLS that is asked for.
  const silent = createServer()
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const { port } = silent.address() as AddressInfo
  const unsent = sendPing({ ...request(`https://127.0.0.1:${port}`, { signal: never }), noMore: noMore.signal })
  const [socket] = (await once(silent, 'connection')) as [Socket]
  await once(socket, 'readable')
  noMore.abort()
  const startedAt = performance.now()
  expect(await unsent).toMatchObject({ delivered: false })
  expect(performance.now() - startedAt).toBeLessThan(150)
  expect(await read).toMatchObject({ delivered: true })
  socket.destroy()
  silent.close()
})

test('user and password of the URL become a header; neither they nor the path are in a problem', async () => {
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  const url = new URL(server.urlOf(check))
  url.username = 'user'
  url.password = 'p%C3%A4ss'
  expect(await sendPing(request(url.href))).toMatchObject({ delivered: true })
  const basic = Buffer.from('user:päss').toString('base64')
  expect(server.requests[0]?.headers.authorization).toBe(`Basic ${basic}`)
  for (const unusable of ['http://user:pass@127.0.0.1:1/secret', 'ftp://user:pass@127.0.0.1:1/secret']) {
    const answer = JSON.stringify(await sendPing(request(unusable, { budgetMs: 100 })))
    expect(answer).toContain('127.0.0.1:1 cannot be reached (E')
    expect(answer).not.toMatch(/secret|pass/)
  }
})
