import fs from 'fs-extra'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { jitterDelayMs } from '../../src/job/jitter.ts'
import { BIN, createRig, until } from '../support/rig.ts'

test('an option counts from the flag, else the environment, else the job, else the defaults', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, {
    defaults: { ok_codes: [1], tee: 'none' },
    jobs: { special: { ok_codes: '2', 'alert-after': 1 } },
  })
  const run = (job: string, code: number, words: string[] = [], env: NodeJS.ProcessEnv = {}) =>
    rig.runWith(env, ['--job', job, ...words, '--', 'sh', '-c', `echo x; exit ${code}`])
  expect(await run('plain', 1)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect((await run('special', 1)).code).toBe(1)
  expect((await run('special', 2)).code).toBe(0)
  expect((await run('special', 3, [], { CRONWRAP_OK_CODES: '3' })).code).toBe(0)
  expect((await run('special', 4, ['--ok-codes', '4'], { CRONWRAP_OK_CODES: '3' })).code).toBe(0)
  expect((await run('plain', 0, ['--tee', 'both'])).stdout).toBe('x\n')
})

test('what is wrong in the environment or the file is one clear warning each, and the run goes on', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, {
    defaults: { timeot: '5s', retries: 'many' },
    jobs: { '../x': {} },
    color: true,
    metric: {},
  })
  const { code, stdout, stderr } = await rig.runWith({ CRONWRAP_TEE: 'loud', CRONWRAP_TIMEOT: '3s' }, [
    '--',
    'sh',
    '-c',
    'echo ran; exit 6',
  ])
  expect({ code, stdout }).toEqual({ code: 6, stdout: 'ran\n' })
  const warnings = stderr.trimEnd().split('\n')
  const expected = [
    /unknown key "timeot" is ignored \(did you mean timeout\?\)/,
    /defaults\.retries: "many" is not a whole number/,
    /"\.\.\/x" cannot name a job/,
    /unknown key "color" is ignored; settings stand under/,
    /unknown key "metric" is ignored; did you mean metrics\?/,
    /CRONWRAP_TEE: "loud" is none of both/,
    /unknown variable CRONWRAP_TIMEOT is ignored \(did you mean CRONWRAP_TIMEOUT\?\)/,
  ]
  expect(warnings).toHaveLength(expected.length)
  for (const pattern of expected)
    expect(
      warnings.some((line) => line.startsWith('cronwrap: ') && pattern.test(line)),
      String(pattern),
    ).toBe(true)
  fs.writeFileSync(rig.home.config, '{ not json')
  expect((await rig.run(['--', 'sh', '-c', 'exit 6'])).stderr).toMatch(
    /^cronwrap: .*cronwrap\.json cannot be used and is ignored: [^\n]*\n$/,
  )
})

test('--cwd is where the job runs; one that does not exist is said and recorded', async () => {
  await using rig = createRig()
  fs.mkdirSync(rig.path('there'))
  expect((await rig.run(['--cwd', rig.path('there'), '--', 'pwd'])).stdout).toBe(
    `${fs.realpathSync(rig.path('there'))}\n`,
  )
  const missing = await rig.run(['--cwd', rig.path('nowhere'), '--', 'pwd'])
  expect(missing.code).toBe(126)
  expect(missing.stderr).toMatch(/working directory cannot be used: .*nowhere/)
})

test('--retries runs a failed job again, keeps each attempt apart in the log, and counts one run', async () => {
  await using rig = createRig()
  const script = 'n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) > n; echo "try $n"; [ $n -ge 2 ]'
  const result = await rig.run(['--job', 'flaky', '--retries', '3', '--retry-delay', '10ms', '--', 'sh', '-c', script])
  expect(result).toMatchObject({ code: 0, stdout: 'try 0\ntry 1\ntry 2\n' })
  expect(rig.summary()['flaky']).toMatchObject({ total_runs: 1, total_errors: 0 })
  expect(rig.runs()).toMatchObject([{ attempts: 3, stdout_bytes: 18 }])
  expect(rig.log('flaky')).toMatch(
    /STATUS: success \(exit 0\) after 3 attempts\n[^]*--- ATTEMPT 1: exit 1 ---\n--- STDOUT \(6 bytes\) ---\ntry 0\n[^]*--- ATTEMPT 3: exit 0 ---\n--- STDOUT \(6 bytes\) ---\ntry 2\n/,
  )
  expect((await rig.run(['logs', 'flaky', '--stdout'])).stdout).toBe('try 0\ntry 1\ntry 2\n')
  const hopeless = await rig.run([
    '--job',
    'hopeless',
    '--retries',
    '1',
    '--retry-delay',
    '0',
    '--',
    'sh',
    '-c',
    'exit 9',
  ])
  expect(hopeless.code).toBe(9)
  expect(rig.runs()).toMatchObject([{}, { attempts: 2, exit_code: 9 }])
})

test('a signal ends the wait for a retry', async () => {
  await using rig = createRig()
  const child = rig.start(['--job', 'waiting', '--retries', '5', '--retry-delay', '1h', '--', 'sh', '-c', 'exit 9'])
  await until('the first attempt is over', () =>
    rig.running().some((id) => fs.existsSync(`${rig.home.running}/${id}/1.attempt.json`)),
  )
  child.kill('SIGTERM')
  expect((await child).exitCode).toBe(9)
  expect(rig.runs()).toMatchObject([{ attempts: 1, exit_code: 9 }])
})

test('--overlap skip gives way with 75, is counted and is no failure; --skip-exit-code changes the code', async () => {
  await using rig = createRig()
  const first = rig.start([
    '--job',
    'long',
    '--overlap',
    'skip',
    '--',
    'sh',
    '-c',
    'while [ ! -e go ]; do sleep 0.05; done',
  ])
  await until('it runs', () => rig.running().length === 1)
  const second = ['--job', 'long', '--overlap', 'skip', '--', 'sh', '-c', 'echo never']
  expect(await rig.run(second)).toMatchObject({ code: 75, stdout: '', stderr: '' })
  expect((await rig.run(['--skip-exit-code', '0', ...second])).code).toBe(0)
  expect((await rig.run(['--job', 'long', '--', 'echo', 'allowed'])).stdout).toBe('allowed\n')
  rig.write('go', '')
  expect((await first).exitCode).toBe(0)
  expect(rig.summary()['long']).toMatchObject({ total_runs: 2, total_errors: 0, skipped_runs: 2 })
  expect((await rig.run(second)).stdout).toBe('never\n')
})

test('--overlap sees a run that was started without it', async () => {
  await using rig = createRig()
  const script = 'echo up; while [ ! -e go ]; do sleep 0.05; done'
  const plain = rig.start(['--job', 'mixed', '--', 'sh', '-c', script])
  await until('it runs', () => rig.running().length === 1)
  expect((await rig.run(['--job', 'mixed', '--overlap', 'skip', '--', 'true'])).code).toBe(75)
  expect((await rig.run(['--job', 'mixed', '--overlap', 'replace', '--', 'true'])).code).toBe(0)
  expect((await plain).exitCode).toBe(143)
})

test('--timeout 0 lifts a limit that is set elsewhere; a --drain of months is no overflow', async () => {
  await using rig = createRig()
  const env = { CRONWRAP_TIMEOUT: '100ms', CRONWRAP_DRAIN: '60d' }
  expect(await rig.runWith(env, ['--timeout', '0', '--', 'sh', '-c', '(sleep 0.4; echo late) & exit 0'])).toMatchObject(
    {
      code: 0,
      stdout: 'late\n',
      stderr: '',
    },
  )
})

test('--on-failure-line arrives through a full pipe, on a line of its own', async () => {
  await using rig = createRig()
  const script = 'head -c 65536 /dev/zero; exit 3'
  const result = await rig.shell(`cronwrap --job full --on-failure-line -- sh -c '${script}' | (sleep 1; tr -d '\\0')`)
  expect(result.stdout).toMatch(/^\nfull failed: exit 3 after \d+ ms[^\n]*; log: .*\n$/)
})

test('--overlap wait runs one after the other', async () => {
  await using rig = createRig()
  const script = 'echo in >> order; sleep 0.2; echo out >> order'
  await Promise.all(
    Array.from({ length: 4 }, () => rig.run(['--job', 'queue', '--overlap', 'wait', '--', 'sh', '-c', script])),
  )
  expect(fs.readFileSync(rig.path('order'), 'utf8')).toBe('in\nout\n'.repeat(4))
})

test('--overlap replace ends the older run first, also one that ignores TERM', async () => {
  await using rig = createRig()
  const stubborn = 'trap "" TERM; echo up; while :; do sleep 0.1; done'
  const first = rig.start(['--job', 'only', '--overlap', 'replace', '--', 'sh', '-c', stubborn], { detached: true })
  await until('it runs', () => rig.running().some((id) => fs.existsSync(`${rig.home.running}/${id}/1.stdout.0`)))
  const second = await rig.run([
    '--job',
    'only',
    '--overlap',
    'replace',
    '--kill-after',
    '300ms',
    '--',
    'sh',
    '-c',
    'pgrep -f "[t]rap.*TERM" | wc -l',
  ])
  await first
  expect(second).toMatchObject({ code: 0, stdout: '0\n' })
  await rig.run(['status'])
  expect(
    rig
      .runs()
      .map((run) => run.reason)
      .sort(),
  ).toEqual(['exit', 'interrupted'])
})

test('--jitter delays the start by the same part of its span each time', async () => {
  await using rig = createRig()
  const expected = jitterDelayMs(hostname(), 'spread', 1000)
  const startedAt = Date.now()
  await rig.run(['--job', 'spread', '--jitter', '1s', '--', 'sh', '-c', 'date +%s%3N > at'])
  const delayMs = Number(fs.readFileSync(rig.path('at'), 'utf8')) - startedAt
  expect(delayMs).toBeGreaterThanOrEqual(expected)
  expect(rig.summary()['spread']?.last_duration_ms).toBeLessThan(900)
})

test('a job that wraps a job is two jobs, also with CRONWRAP_JOB set for the outer one', async () => {
  await using rig = createRig()
  const inner = rig.write('inner.sh', '#!/bin/sh\necho inner; exit 4\n')
  const result = await rig.runWith({ CRONWRAP_JOB: 'outer' }, ['--', process.execPath, BIN, '--', inner])
  expect(result).toMatchObject({ code: 4, stdout: 'inner\n' })
  expect(rig.summary()).toMatchObject({ outer: { last_exit_code: 4 }, inner: { last_exit_code: 4 } })
})

test('36: times carry the local offset, and a clock that jumps changes no duration', async () => {
  await using rig = createRig()
  await rig.runWith({ TZ: 'Asia/Shanghai' }, ['--job', 'east', '--', 'true'])
  await rig.runWith({ TZ: 'America/St_Johns' }, ['--job', 'west', '--', 'true'])
  expect(rig.summary()['east']?.last_run).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00$/)
  expect(rig.summary()['west']?.last_run).toMatch(/-0[23]:30$/)
  const jump = rig.write(
    'jump.cjs',
    'const real = Date.now; let looks = 0; globalThis.Date = class extends Date { constructor(...a) { a.length ? super(...a) : super(real() - 3600e3 * looks++) } static now() { return real() - 3600e3 * looks++ } }',
  )
  await rig.runWith({ NODE_OPTIONS: `--require ${jump}` }, ['--job', 'jumpy', '--', 'sleep', '0.3'])
  expect(rig.summary()['jumpy']?.last_duration_ms).toBeGreaterThanOrEqual(290)
  expect(rig.summary()['jumpy']?.last_duration_ms).toBeLessThan(5000)
})
