import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { toLocalIso } from '../../src/platform/clock.ts'
import { makeDirectory } from '../../src/platform/make-directory.ts'
import type { ScheduleSet } from '../../src/record/event.ts'
import { appendEvent } from '../../src/record/journal.ts'
import { runFinished } from '../support/events.ts'
import { createRig, until, type Rig } from '../support/rig.ts'

const MINUTE_MS = 60_000

function setSchedule(rig: Rig, job: string, expression: string, sinceMs: number, graceMs = MINUTE_MS): void {
  makeDirectory(rig.home.logs)
  const event: ScheduleSet = {
    type: 'schedule.set',
    id: `set-${job}-${sinceMs}`,
    time: toLocalIso(new Date(sinceMs), 'milliseconds'),
    job,
    schedule: { expression, tz: 'UTC', grace_ms: graceMs },
    source: 'command',
  }
  appendEvent(rig.home, event)
}

test('all is well, one thing is wrong, several are: a line for each, exit codes and performance data as plugins have them', async () => {
  await using rig = createRig()
  const nothing = await rig.run(['check'])
  expect(nothing).toMatchObject({ code: 3, stdout: `CRONWRAP UNKNOWN - nothing is on record in ${rig.home.base}\n` })
  await rig.run(['--job', 'good', '--', 'true'])
  const well = await rig.run(['check'])
  const zeros = 'failing=0 missed=0 slow=0 undelivered=0 unnotified=0 waiting=0'
  expect(well).toMatchObject({ code: 0, stdout: `CRONWRAP OK - no alerts in 1 job | jobs=1 running=0 ${zeros}\n` })
  await rig.run(['--job', 'sent', '--', 'true'])
  await rig.run(['delivery', 'sent', 'm1', 'failed', '--error', 'a | b'])
  const warned = await rig.run(['check'])
  expect(warned.code).toBe(1)
  expect(warned.stdout).toMatch(
    /^CRONWRAP WARNING - sent: the last delivery failed: a \xc2\xa6 b \| jobs=2 .*undelivered=1 unnotified=0 waiting=0\n$/,
  )
  for (let run = 0; run < 3; run++) await rig.run(['--job', 'bad', '--', 'sh', '-c', 'echo no space >&2; exit 1'])
  const critical = await rig.run(['check'])
  expect(critical.code).toBe(2)
  const lines = critical.stdout.split('\n')
  expect(lines[0]).toMatch(/^CRONWRAP CRITICAL - 2 problems: bad, sent \| jobs=3 running=0 failing=1 missed=0 /)
  expect(lines.slice(1, 2)).toEqual(['bad: 3 consecutive failures: no space'])
  expect(await rig.run(['check', '--quiet'])).toMatchObject({ code: 2, stdout: '', stderr: '' })

  const ofGood = await rig.run(['check', 'good'])
  expect(ofGood.code).toBe(0)
  expect(ofGood.stdout).toMatch(
    /^CRONWRAP OK - good is well, the last run began \S+ \| running=0 errors=0 missed=0 duration=[\d.]+s/,
  )
  expect(await rig.run(['check', 'bad'])).toMatchObject({ code: 2 })
  const unknown = await rig.run(['check', 'gud'])
  expect(unknown).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('UNKNOWN - no run of a job "gud"') as string,
  })
  expect((await rig.run(['check', '--colour'])).code).toBe(3)
  await rig.run(['alerts', 'ack', 'bad'])
  const acknowledged = await rig.run(['check', 'bad'])
  expect(acknowledged).toMatchObject({ code: 1, stdout: expect.stringContaining('(acknowledged)') as string })
  const json = JSON.parse((await rig.run(['check', '--json'])).stdout) as Record<string, unknown>
  expect(json).toMatchObject({ state: 'WARNING', alerts: [{ job_id: 'bad' }, { job_id: 'sent' }], problems: [] })
})

test('what was due and did not run is missed, told once by however many look, and over with the next run', async () => {
  await using rig = createRig()
  const now = Date.now()
  setSchedule(rig, 'never-ran', '* * * * *', now - 5.5 * MINUTE_MS)
  setSchedule(rig, 'in-time', 'every 10m', now - 30 * MINUTE_MS)
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('in-time', run, { startedMs: now - (29 - 10 * run) * MINUTE_MS }))
  const results = await Promise.all(Array.from({ length: 5 }, () => rig.run(['check'])))
  expect(results.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2])
  const { missed_runs: missed, last_missed: last } = rig.summary()['never-ran'] ?? {}
  expect(missed).toBeGreaterThanOrEqual(4)
  expect(missed).toBeLessThanOrEqual(5)
  expect(rig.summary()['in-time']?.missed_runs).toBe(0)
  expect(rig.alerts()).toMatchObject([{ job_id: 'never-ran', kind: 'missed', alert_time: last, count: missed }])
  expect(results[0]?.stdout).toContain(`never-ran: ${missed} runs missed in a row, the last was due ${last}`)
  const shown = await rig.run(['status', 'never-ran'])
  expect(shown.stdout).toContain('missed')
  await rig.run(['--job', 'never-ran', '--', 'true'])
  expect(rig.alerts()).toEqual([])
  expect(rig.summary()['never-ran']).toMatchObject({ missed_runs: missed, consecutive_missed: 0, missed_since: null })
})

test('--schedule on a run, cronwrap.json and the environment say when a job is due; the last word counts', async () => {
  await using rig = createRig()
  const words = ['--schedule', '0  9 * * Mon-Fri', '--tz', 'Europe/Berlin', '--grace', '5m', '--jitter', '1ms']
  await rig.run([...words, '--job', 'flag', '--', 'true'])
  const schedule = { expression: '0 9 * * Mon-Fri', tz: 'Europe/Berlin', grace_ms: 300_001, source: 'run' }
  expect(rig.summary()['flag']?.schedule).toMatchObject(schedule)
  // By hand, without it: it is still due.
  await rig.run(['--job', 'flag', '--', 'true'])
  expect(rig.summary()['flag']?.schedule).toMatchObject(schedule)
  fs.outputJsonSync(rig.home.config, {
    defaults: { grace: '7m' },
    jobs: { file: { schedule: '@daily' }, flag: { schedule: 'every 2h' }, broken: { schedule: '0 0 31 2 *' } },
  })
  const checked = await rig.run(['check'])
  expect(checked).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('"0 0 31 2 *" cannot be used: it is never due') as string,
  })
  expect(rig.summary()['file']).toMatchObject({
    total_runs: 0,
    last_run: null,
    schedule: { grace_ms: 420_000, source: 'config' },
  })
  expect(rig.summary()['flag']?.schedule).toMatchObject({ expression: 'every 2h', source: 'config' })
  const events = rig.events().length
  await rig.run(['check'])
  expect(rig.events()).toHaveLength(events)
  fs.outputJsonSync(rig.home.config, {})
  await rig.run(['check'])
  expect(rig.summary()['file']).toBeUndefined()
  for (const [wrong, why] of [
    ['--schedule=daily', '"daily" is not a schedule'],
    ['--schedule=0 9 * *', 'is not a schedule'],
    ['--tz=Berlin!', 'is not a time zone'],
  ] as const) {
    const refused = await rig.run([wrong, '--', 'true'])
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining(why) as string })
  }
})

test('a run that goes on for far longer than those before it is slow; its end ends that', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { jobs: { limited: { slow_after: '100ms' }, never: { slow_after: '0' } } })
  const started = ['limited', 'never', 'unknown'].map((job) => rig.start(['--job', job, '--', 'sleep', '60']))
  await until('all run', () => rig.running().length === 3)
  await until('it has been long enough', () => Date.now() - fs.statSync(rig.home.running).mtimeMs > 200)
  const checked = await rig.run(['check'])
  expect(checked).toMatchObject({ code: 1, stdout: expect.stringContaining('goes on for more than 100ms') as string })
  expect(rig.alerts()).toMatchObject([{ job_id: 'limited', kind: 'slow' }])
  expect((await rig.run(['status', 'limited'])).stdout).toMatch(/slow, running since/)
  // The command that the alert names is of use while it goes on.
  expect((await rig.run(['alerts'])).stdout).toContain('look: cronwrap logs limited --follow\n')
  const early = await rig.run(['logs', 'limited', '--run', rig.alerts()[0]?.run_id ?? ''])
  expect(early).toMatchObject({ code: 125, stderr: expect.stringMatching(/has not ended yet\n.*--follow/) as string })
  for (const run of started) run.kill('SIGTERM')
  await Promise.all(started)
  expect(rig.alerts().filter(({ kind }) => kind === 'slow')).toEqual([])
})

test('settings in cronwrap.json that cannot be used are told, of jobs that never ran too', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, {
    defaults: { timeout: 'never' },
    jobs: {
      b: { schedule: '0 9 * *' },
      ok: { schedule: '@daily' },
      z: { schedule: '@daily', tz: 'Mars/X', grace: '5x' },
    },
  })
  const checked = await rig.run(['check'])
  expect(checked.code).toBe(1)
  for (const part of [
    'defaults.timeout: "never" is not',
    'jobs.b.schedule: "0 9 * *" is not a schedule',
    'jobs.z.grace: "5x"',
  ])
    expect(checked.stdout.split(part)).toHaveLength(2)
  expect(checked.stdout).toContain('z: the schedule "@daily" in Mars/X cannot be used: there is no such time zone')
  const doctor = await rig.run(['doctor', '--json'])
  expect(doctor.stdout).toContain('jobs.b.schedule')
  expect(doctor.stdout).toContain('Mars/X cannot be used')
})

test('what may not be read is not nothing; misuse is said where plugins say it', async () => {
  await using rig = createRig()
  rig.write('base', 'a file')
  expect(await rig.run(['check'])).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('cannot be read: ENOTDIR') as string,
  })
  expect((await rig.run(['check', '--bogus'])).stdout).toMatch(/^CRONWRAP UNKNOWN - unknown option --bogus\n$/)
  expect((await rig.run(['check', 'a', 'b'])).stdout).toMatch(/^CRONWRAP UNKNOWN - usage: cronwrap check \[job\]\n$/)
})

test('a job that is forgotten is gone from everything but its log, and begins anew', async () => {
  await using rig = createRig()
  for (let run = 0; run < 3; run++) await rig.run(['--job', 'old', '--schedule', '@daily', '--', 'false'])
  await rig.run(['--job', 'other', '--', 'true'])
  expect(rig.alerts()).toHaveLength(1)
  expect(await rig.run(['forget', 'old'])).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining('its log stays') as string,
  })
  expect(Object.keys(rig.summary())).toEqual(['other'])
  expect(rig.alerts()).toEqual([])
  expect((await rig.run(['repair'])).stdout).toContain('now holds 1 job')
  expect(rig.log('old')).toContain('=== END')
  expect(await rig.run(['forget', 'old'])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining('"old"') as string,
  })
  await rig.run(['--job', 'old', '--', 'false'])
  expect(rig.summary()['old']).toMatchObject({ total_runs: 1, consecutive_errors: 1, schedule: null })
  const going = rig.start(['--job', 'other', '--', 'sleep', '60'])
  await until('it runs', () => rig.running().length === 1)
  expect(await rig.run(['forget', 'other'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('other is running') as string,
  })
  going.kill('SIGTERM')
  await going
})

test('cronwrap schedule knows what cronwrap.json says before anything has run', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { jobs: { n: { schedule: '@daily' }, b: { schedule: 'daily' } } })
  const { stdout, stderr } = await rig.run(['schedule'])
  expect(stdout).toMatch(/^n +@daily +local +10m +config /m)
  expect(stderr).toContain('jobs.b.schedule: "daily" is not a schedule')
})

test('a time zone that does not exist is told by the run, once the job has ended', async () => {
  await using rig = createRig()
  const words = ['--schedule', '@daily', '--tz', 'Nowhere/Land', '--', 'sh', '-c', 'echo out; exit 3']
  const ran = await rig.run(words)
  expect(ran).toMatchObject({ code: 3, stdout: 'out\n' })
  expect(ran.stderr).toBe('cronwrap: there is no time zone "Nowhere/Land": nobody notices when the job is missed\n')
})
