import fs from 'fs-extra'
import { isUtf8 } from 'node:buffer'
import { expect, test } from 'vitest'
import { runJob } from '../../src/index.ts'
import { HealthchecksServer, type Check } from '../support/healthchecks-server.ts'
import { createRig, until, type Rig } from '../support/rig.ts'

/** Goes on when the test says so. */
const WAIT = 'until [ -e "$HOME/go" ]; do sleep 0.02; done'

function go(rig: Rig): void {
  rig.write('go', '')
}

function shell(script: string): string[] {
  return ['--', 'sh', '-c', script]
}

function kinds({ pings }: Check): string[] {
  return pings.map(({ kind }) => kind)
}

function lastBody({ pings }: Check): string {
  return pings.at(-1)?.body.toString('latin1') ?? ''
}

test('start and end are told with the id of the run, what it printed and how it ended', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  const running = rig.start([
    '--ping',
    server.urlOf(check),
    '--job',
    'told',
    ...shell(`${WAIT}; echo out; echo err >&2`),
  ])
  await until('the start arrives', () => check.status === 'started')
  go(rig)
  expect((await running).exitCode).toBe(0)
  const [run] = rig.runs()
  expect(kinds(check)).toEqual(['start', 'success'])
  expect(check.pings.map(({ rid }) => rid)).toEqual([run?.run_id, run?.run_id])
  expect(check.pings[1]).toMatchObject({ exitStatus: 0 })
  expect(check.pings[1]?.durationMs).toBeGreaterThan(0)
  expect(check.status).toBe('up')
  expect(lastBody(check)).toMatch(/^success \(exit 0\) after \d+ ms.*\nout\nerr\n$/)
  expect(server.requests.map(({ method, headers }) => `${method} ${headers['content-type']}`)).toEqual(
    Array(2).fill('POST text/plain'),
  )
  expect(rig.running()).toEqual([])
})

test('each way to end has its ping', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const ends = [
    [shell('exit 3'), '3', 'error (exit 3) after '],
    [['--ok-codes', '0,3', ...shell('exit 3')], '0', 'success (exit 3) after '],
    [['--ok-codes', '3', ...shell('exit 0')], 'fail', 'error (exit 0) after '],
    [shell('kill -9 $$'), 'fail', 'error (signal SIGKILL) after '],
    [['--timeout', '100ms', ...shell('exec sleep 60')], 'fail', 'error (timeout (SIGTERM)) after '],
    [['--', './missing'], 'fail', 'error (command not found) after '],
    [['--retries', '1', '--retry-delay', '10ms', ...shell('exit 4')], '4', 'error (exit 4) after 2 attempts, '],
  ] as const
  await Promise.all(
    ends.map(async ([words, path, headline], index) => {
      const check = server.addCheck(`end-${index}`)
      const { stderr } = await rig.run(['--ping', server.urlOf(check), '--job', check.slug, ...words])
      const own = server.requests.filter((request) => request.path.includes(check.uuid))
      expect(own.at(-1)?.path, headline).toContain(`${check.uuid}/${path}?rid=`)
      expect(lastBody(check).startsWith(headline), lastBody(check)).toBe(true)
      expect(check.status).toBe(path === '0' ? 'up' : 'down')
      expect(stderr).not.toContain('pinged')
    }),
  )
  expect(lastBody(server.checksWithSlug('end-5')[0] as Check)).toContain(
    './missing or its interpreter does not exist\n',
  )
})

test('of long output the end is sent, as it stands in the log: without its secrets', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  const token = `ghp_${'aB3'.repeat(12)}`
  // Each line tells its place, and one of them has a secret wherever the output is cut.
  const script = `
    awk 'BEGIN { for (i = 0; i < 2000; i++) print i, "€€€€€€€€€€€€", "${token}" }'
    awk 'BEGIN { for (i = 0; i < 1000; i++) print i, "${token}" > "/dev/stderr" }'
    printf 'the very end' >&2`
  const words = ['--job', 'long', '--redact', 'very', '--tee', 'none', ...shell(script)]
  await rig.run(['--ping', server.urlOf(check), ...words])
  const body = check.pings.at(-1)?.body ?? Buffer.alloc(0)
  expect(body.byteLength).toBeGreaterThan(99_900)
  expect(body.byteLength).toBeLessThanOrEqual(100_000)
  const [, omitted, sent] =
    /^success .*\n\[cronwrap: (\d+) bytes left out\]\n([^]*)$/.exec(body.toString('latin1')) ?? []
  const log = rig.log('long')
  const [, stdout = '', stderr = ''] = /--- STDOUT .*\n([^]*)--- STDERR .*\n([^]*)=== END/.exec(log) ?? []
  const logged = stdout + stderr
  expect(sent).toBe(logged.slice(-(sent?.length ?? 0)))
  expect(Number(omitted) + (sent?.length ?? 0)).toBe(logged.length)
  expect(sent?.endsWith('the **** end\n')).toBe(true)
  expect(isUtf8(body)).toBe(true)
  expect(sent).not.toContain(token.slice(-6))
})

test('a server that keeps less is sent less; output that cannot be searched for secrets is not sent', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start({ bodyLimit: 1000 })
  const check = server.addCheck()
  const running = rig.start(['--ping', server.urlOf(check), ...shell(`${WAIT}; seq 1000`)])
  await until('the start arrives', () => check.status === 'started')
  go(rig)
  await running
  expect(server.requests.at(-1)?.body.byteLength).toBeLessThanOrEqual(1000)
  expect(lastBody(check).endsWith('\n999\n1000\n')).toBe(true)
  const { problems } = await runJob({
    home: rig.home.base,
    command: ['echo', 'hello'],
    tee: 'none',
    redact: ['('],
    ping: server.urlOf(check),
  })
  expect(problems).toEqual([expect.stringContaining('no regular expression')])
  expect(lastBody(check)).toMatch(/^success .*\n\[cronwrap: the output is not sent: [^\n]*\]\n$/)
})

test.each([
  ['an error of the server', { status: 500 }],
  ['a dropped connection', 'drop'],
] as const)('after %s the whole body is sent again', async (_, fault) => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb(fault, 1, /\/5\?/)
  const { code, stderr } = await rig.run(['--ping', server.urlOf(check), ...shell('seq 5000; exit 5')])
  expect({ code, stderr }).toEqual({ code: 5, stderr: '' })
  const [first, second] = server.requests.filter(({ path }) => path.includes('/5?'))
  expect(first?.body.byteLength).toBeGreaterThan(20_000)
  expect(second?.body).toEqual(first?.body)
  expect(check.pings.at(-1)).toMatchObject({ kind: 'fail', exitStatus: 5 })
})

test('a server that comes back while the job runs hears of the start', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb({ status: 502 }, 1)
  const running = rig.start(['--ping', server.urlOf(check), ...shell(WAIT)])
  await until('the first try', () => server.requests.length === 1)
  await server.goAway()
  await server.comeBack()
  await until('the start arrives', () => check.status === 'started')
  go(rig)
  expect((await running).exitCode).toBe(0)
  expect(kinds(check)).toEqual(['start', 'success'])
})

test('a start that the server has read is waited for: after the end it would leave the check started', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb({ delayMs: 400 }, 1, /start/)
  const running = rig.start(['--ping', server.urlOf(check), ...shell(WAIT)])
  await until('the start is read', () => server.events().includes('start'))
  go(rig)
  expect((await running).exitCode).toBe(0)
  expect(kinds(check)).toEqual(['start', 'success'])
  expect(check.status).toBe('up')
})

test('a start that is not answered is given up for the end, and both have the time of one', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb('hang')
  const limitMs = 1_200
  const running = rig.start(['--ping', server.urlOf(check), '--ping-timeout', `${limitMs}ms`, ...shell(WAIT)])
  await until('the start is asked for', () => server.events().includes('start'))
  go(rig)
  const startedAt = Date.now()
  await until('the end is asked for', () => server.events().includes('0'))
  // Not because its own time is over, which is five seconds.
  await until('the start is broken off', () => server.requests[0]?.brokenOff, 2_000)
  expect(server.requests[1]?.brokenOff).toBe(false)
  expect((await running).exitCode).toBe(0)
  expect(Date.now() - startedAt).toBeLessThan(limitMs + 1_000)
  expect(server.events()).toEqual(['start', '0'])
})

test('a failed attempt is told with its output while the next one is waited for', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  const script = `[ -e "$HOME/again" ] && { ${WAIT}; exit 0; }; touch "$HOME/again"; echo first; exit 9`
  const words = ['--retries', '2', '--retry-delay', '10ms', ...shell(script)]
  const running = rig.start(['--ping', server.urlOf(check), ...words])
  await until('the attempt is told', () => kinds(check).includes('log'))
  go(rig)
  await running
  expect(kinds(check)).toEqual(['start', 'log', 'success'])
  expect(String(check.pings[1]?.body)).toBe('attempt 1 failed: exit 9\nfirst\n')
  expect(lastBody(check)).toMatch(/^success \(exit 0\) after 2 attempts, /)
})

test('a run that another one keeps from running is told as a log entry', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  const words = ['--job', 'one', '--overlap', 'skip', '--ping', server.urlOf(check), ...shell(WAIT)]
  const running = rig.start(words)
  await until('the start arrives', () => check.status === 'started')
  expect((await rig.run(words)).code).toBe(75)
  expect(check.status).toBe('started')
  go(rig)
  await running
  const [start, skipped] = check.pings
  expect(kinds(check)).toEqual(['start', 'log', 'success'])
  expect(String(skipped?.body)).toBe(`skipped, because run ${start?.rid} of the job is still going\n`)
  expect(skipped?.rid).not.toBe(start?.rid)
})

test('a slug makes its check; an URL may end with a slash', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  expect((await rig.run(['--ping', `${server.slugUrl('nightly')}/?create=1`, ...shell('exit 0')])).stderr).toBe('')
  const [check] = server.checksWithSlug('nightly')
  expect(check?.status).toBe('up')
})

test('an URL that names no check is one try, and one line that does not show it', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const secret = '5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278'
  const { code, stderr } = await rig.run(['--ping', `${server.origin}/${secret}`, ...shell('exit 6')])
  const host = new URL(server.origin).host
  expect({ code, stderr }).toEqual({
    code: 6,
    stderr: `cronwrap: the end could not be pinged: ${host} answered 404\n`,
  })
  expect(server.events().filter((event) => event === '6')).toHaveLength(1)
  // All is on record: nothing waits to be recorded again.
  expect(rig.running()).toEqual([])
})

test('33: a server that never answers delays no start, and the end by no more than is allowed', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb('hang')
  const limitMs = 600
  const ping = ['--ping', server.urlOf(check), '--ping-timeout', `${limitMs}ms`]
  const [delays, totals] = [
    { without: [] as number[], hung: [] as number[] },
    { without: [] as number[], hung: [] as number[] },
  ]
  for (let round = 0; round < 5; round++) {
    for (const kind of ['without', 'hung'] as const) {
      const startedAt = Date.now()
      const options = kind === 'hung' ? ping : []
      const run = await rig.run([...options, ...shell('date +%s%N > "$HOME/began"; echo out; echo err >&2; exit 8')])
      totals[kind].push(Date.now() - startedAt)
      delays[kind].push(Number(fs.readFileSync(rig.path('began'), 'utf8')) / 1e6 - startedAt)
      expect(run).toMatchObject({ code: 8, stdout: 'out\n' })
      expect(run.stderr.split('\n').length).toBe(kind === 'hung' ? 3 : 2)
      expect(run.stderr).not.toContain(check.uuid)
    }
  }
  // The best of each: others use the machine too.
  expect(Math.min(...delays.hung) - Math.min(...delays.without)).toBeLessThan(100)
  expect(Math.min(...totals.hung) - Math.min(...totals.without)).toBeLessThan(limitMs + 150)
  expect(rig.runs()).toHaveLength(10)
  expect(rig.log('sh')).not.toContain(check.uuid)
})

test('33: a server that is gone costs no more either, and neither does a name that is none', async () => {
  await using rig = createRig()
  const server = await HealthchecksServer.start()
  const urls = [`${server.origin}/secret`, 'http://nowhere.invalid/secret']
  await server.goAway()
  const runs = urls.map(async (url, index) => {
    const startedAt = Date.now()
    const words = ['--job', `gone-${index}`, '--ping', url, '--ping-timeout', '700ms', ...shell('echo out; exit 8')]
    const { code, stdout, stderr } = await rig.run(words)
    expect({ code, stdout }).toEqual({ code: 8, stdout: 'out\n' })
    expect(stderr).toMatch(/^cronwrap: the end could not be pinged: [\w.:]+ [^\n]*\n$/)
    expect(stderr).not.toContain('secret')
    expect(Date.now() - startedAt).toBeLessThan(2_500)
  })
  await Promise.all(runs)
  for (const name of fs.readdirSync(rig.home.logs).filter((file) => !file.startsWith('.')))
    expect(fs.readFileSync(`${rig.home.logs}/${name}`, 'utf8'), name).not.toContain('secret')
})

test('33: TERM ends us at once, whether the job runs or only the server is waited for', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb('hang')
  const ping = ['--ping', server.urlOf(check), '--ping-timeout', '60s']
  const during = rig.start([...ping, '--job', 'during', ...shell('exec sleep 60')])
  const after = rig.start([...ping, '--job', 'after', ...shell('exit 8')])
  await until('a start and an end are asked for', () => {
    const events = server.events()
    return events.includes('start') && events.includes('8')
  })
  const startedAt = Date.now()
  during.kill('SIGTERM')
  after.kill('SIGTERM')
  expect((await during).exitCode).toBe(143)
  expect((await after).exitCode).toBe(8)
  expect(Date.now() - startedAt).toBeLessThan(2_000)
  expect(rig.summary()).toMatchObject({ during: { last_reason: 'interrupted' }, after: { last_exit_code: 8 } })
})

test('while a server is waited for the run is over: it is not shown as running, and the next one runs', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  server.disturb('hang', 1, /\/8\?/)
  const words = ['--job', 'next', '--overlap', 'skip', '--ping', server.urlOf(check), '--ping-timeout', '60s']
  const waiting = rig.start([...words, ...shell('exit 8')])
  await until('the end is asked for', () => server.events().includes('8'))
  await until('nothing runs', () => rig.running().length === 0)
  expect((await rig.run([...words, ...shell('exit 2')])).code).toBe(2)
  waiting.kill('SIGTERM')
  expect((await waiting).exitCode).toBe(8)
})

test('the library pings too, and tells what went wrong', async () => {
  await using rig = createRig()
  await using server = await HealthchecksServer.start()
  const check = server.addCheck()
  const request = { home: rig.home.base, job: 'lib', command: ['echo', 'out'], tee: 'none' } as const
  expect(await runJob({ ...request, ping: server.urlOf(check) })).toMatchObject({ exitCode: 0, problems: [] })
  expect(kinds(check).at(-1)).toBe('success')
  const wrong = await runJob({ ...request, ping: 'no URL' })
  expect(wrong).toMatchObject({ exitCode: 0, problems: ['the run could not be pinged: Invalid URL'] })
})
