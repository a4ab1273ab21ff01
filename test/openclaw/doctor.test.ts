import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { checkCrontab, userLines } from '../../src/doctor/check-crontab.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { BIN, createRig, type Rig } from '../support/rig.ts'
import { commandJob, finishedRun, standIn, type StandIn } from './stand-in.ts'

/** A machine with an OpenClaw, an empty crontab and a job that cronwrap and OpenClaw know. */
function machine(rig: Rig): StandIn {
  const openclaw = standIn(rig, BIN)
  rig.write('bin/crontab', '#!/bin/sh\ncat "$HOME/crontab" 2>/dev/null\n')
  return openclaw
}

async function ids(rig: Rig, ...words: string[]): Promise<string[]> {
  return (await findings(rig, ...words)).map(({ id }) => id)
}

/** Of this machine and not of the rig. */
const ELSEWHERE = new Set(['disk-full'])

async function findings(rig: Rig, ...words: string[]): Promise<Finding[]> {
  const { stdout, stderr } = await rig.run(['doctor', ...words, '--json'])
  expect(stderr).toBe('')
  const report = JSON.parse(stdout) as { findings: Finding[] }
  for (const { seen, means, next } of report.findings) for (const text of [seen, means, next]) expect(text).not.toBe('')
  return report.findings.filter(({ id }) => !ELSEWHERE.has(id))
}

/** A recorded run of the job, and when it began. */
async function recordedRun(rig: Rig, job: string, script: string): Promise<number> {
  await rig.run(['--job', job, '--', 'sh', '-c', script])
  return Date.parse(rig.runs().findLast((run) => run.job === job)?.started ?? '')
}

test('a healthy job has no findings', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('fine')])
  const started = await recordedRun(rig, 'fine', 'echo hi')
  openclaw.setRuns('id-fine', [finishedRun('fine', started - 100)])
  await rig.run(['delivery', 'fine', '1032'])
  expect(await ids(rig, 'fine')).toEqual([])
  expect(await ids(rig)).toEqual([])
})

test('OpenClaw says ok, the command exited 3', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('liar')])
  const started = await recordedRun(rig, 'liar', 'echo boom >&2; exit 3')
  openclaw.setRuns('id-liar', [finishedRun('liar', started - 100)])
  const told = await findings(rig, 'liar')
  expect(told.map(({ id }) => id)).toEqual(['run-failed', 'openclaw-ok-command-failed'])
  expect(told[1]?.seen).toBe('OpenClaw says ok, the command exited 3')
  expect(told[1]?.next).toMatch(/^cronwrap logs liar --run [0-9a-f-]{36}$/)
})

test('OpenClaw ran the job but the command never started', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('idle')])
  openclaw.setRuns('id-idle', [finishedRun('idle', Date.now() - 60_000)])
  expect(await ids(rig, 'idle')).toContain('command-never-started')
  // An older run of it here does not hide that the latest never started.
  await recordedRun(rig, 'idle', 'true')
  openclaw.setRuns('id-idle', [finishedRun('idle', Date.now() + 60_000)])
  expect(await ids(rig, 'idle')).toContain('command-never-started')
  // What an agent is told to run need not look like a script.
  const message = `Run: cronwrap --home ${rig.home.base} --job lazy -- true`
  openclaw.setJobs([commandJob('lazy', { payload: { kind: 'agentTurn', message } })])
  openclaw.setRuns('id-lazy', [finishedRun('lazy', Date.now() - 60_000)])
  expect(await ids(rig, 'lazy')).toContain('command-never-started')
})

test('the run succeeded, no delivery was recorded', async () => {
  await using rig = createRig()
  machine(rig).setJobs([commandJob('silent')])
  await rig.run(['--job', 'silent', '--expect-delivery', '--delivery-grace', '0s', '--', 'true'])
  expect(await ids(rig, 'silent')).toEqual(['undelivered'])
})

test("delivered by OpenClaw's account, no message id; and the mirror ends that", async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('told')])
  const started = await recordedRun(rig, 'told', 'echo hi')
  openclaw.setRuns('id-told', [finishedRun('told', started - 100)])
  expect(await ids(rig, 'told')).toEqual(['delivered-without-id'])
  expect(await rig.run(['delivery', '--from-openclaw', 'told'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect(rig.summary()['told']?.last_delivery).toMatchObject({
    status: 'delivered',
    message_id: `openclaw-run:manual:id-told:${started - 100}`,
  })
  expect(await ids(rig, 'told')).toEqual([])
})

test('a delivery that OpenClaw could not make is found and mirrored as failed', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('blocked')])
  const started = await recordedRun(rig, 'blocked', 'echo hi')
  const failed = {
    deliveryStatus: 'not-delivered',
    deliveryError: 'bot was blocked',
    status: 'ok',
    completionStatus: 'failed',
  }
  openclaw.setRuns('id-blocked', [finishedRun('blocked', started - 100, failed)])
  expect(await ids(rig, 'blocked')).toEqual(['openclaw-not-delivered'])
  await rig.run(['delivery', '--from-openclaw', 'blocked'])
  expect(rig.summary()['blocked']?.last_delivery).toMatchObject({ status: 'failed', error: 'bot was blocked' })
  expect(await ids(rig, 'blocked')).toEqual(['delivery-failed'])
})

test('what was not to be delivered is no failure, and what is unknown is not recorded', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('quiet')])
  const started = await recordedRun(rig, 'quiet', 'true')
  openclaw.setRuns('id-quiet', [
    finishedRun('quiet', started - 100, { deliveryStatus: 'not-delivered', deliverySuppressionReason: 'silent' }),
  ])
  expect(await ids(rig, 'quiet')).toEqual([])
  await rig.run(['delivery', '--from-openclaw', 'quiet'])
  expect(rig.summary()['quiet']?.last_delivery).toMatchObject({ status: 'skipped' })
  openclaw.setRuns('id-quiet', [finishedRun('quiet', started - 100, { deliveryStatus: 'unknown' })])
  const unknown = await rig.run(['delivery', '--from-openclaw', 'quiet'])
  expect(unknown.code).toBe(1)
  expect(unknown.stderr).toContain('OpenClaw does not know whether it arrived (unknown)')
})

test('a message id that somebody recorded is left alone', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('told')])
  const started = await recordedRun(rig, 'told', 'echo hi')
  await rig.run(['delivery', 'told', '1032'])
  openclaw.setRuns('id-told', [finishedRun('told', started - 100)])
  expect((await rig.run(['delivery', '--from-openclaw', 'told'])).stderr).toContain('message 1032 is on record already')
  expect(rig.summary()['told']?.last_delivery?.message_id).toBe('1032')
  expect((await rig.run(['delivery', '--from-openclaw', 'told', '--run', 'x'])).code).toBe(125)
})

test('known here, gone there', async () => {
  await using rig = createRig()
  machine(rig)
  await recordedRun(rig, 'vanished', 'true')
  expect(await ids(rig, 'vanished')).toEqual(['gone-from-openclaw'])
  rig.write('crontab', '0 9 * * * /usr/bin/env cronwrap --job vanished -- true\n')
  expect(await ids(rig, 'vanished')).toEqual([])
})

test('without its gateway the runs are read from the task list', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  const started = await recordedRun(rig, 'liar', 'exit 3')
  openclaw.stopGateway([finishedRun('liar', started - 100)])
  const told = await findings(rig, 'liar')
  expect(told.map(({ id }) => id)).toEqual(['gateway-down', 'run-failed', 'openclaw-ok-command-failed'])
  // Of this machine, which may have one of its own.
  expect(told[0]?.seen).toMatch(/^(no OpenClaw gateway is running|the OpenClaw gateway runs and does not answer)$/)
})

test('a timeout of OpenClaw, an error of it after a success, a job that is not wrapped', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([
    commandJob('slow'),
    commandJob('late'),
    commandJob('bare', { payload: { kind: 'command', argv: ['/bin/true'] } }),
  ])
  const slow = await recordedRun(rig, 'slow', 'exit 1')
  const late = await recordedRun(rig, 'late', 'exit 0')
  openclaw.setRuns('id-slow', [finishedRun('slow', slow, { status: 'error', error: 'cron: job execution timed out' })])
  openclaw.setRuns('id-late', [
    finishedRun('late', late, { status: 'error', error: 'delivery failed', deliveryStatus: 'unknown' }),
  ])
  openclaw.setRuns('id-bare', [finishedRun('bare', late)])
  expect(await ids(rig, 'slow')).toEqual(['run-failed', 'openclaw-timeout'])
  expect(await ids(rig, 'late')).toEqual(['openclaw-error-command-ok'])
  expect(await ids(rig, 'bare')).toEqual(['not-wrapped'])
})

test('a lost run, and a base directory with something of everything wrong; --fix says what it did', async () => {
  await using rig = createRig()
  machine(rig)
  await rig.shell('cronwrap --job gone -- sh -c "kill -9 \\$PPID"; true')
  expect(await ids(rig, 'gone')).toContain('run-lost')
  fs.writeFileSync(rig.home.summary, '{"torn')
  fs.appendFileSync(rig.home.journal, 'torn\n')
  fs.chmodSync(`${rig.home.logs}/gone.log`, 0o644)
  fs.mkdirSync(`${rig.home.logs}/gone.log.lock`)
  const then = new Date(Date.now() - 120_000)
  fs.utimesSync(`${rig.home.logs}/gone.log.lock`, then, then)
  const wrong = await ids(rig)
  for (const id of ['open-permissions', 'journal-damaged', 'left-overs']) expect(wrong).toContain(id)
  const fixed = await rig.run(['doctor', '--fix'])
  expect(fixed.stdout).toContain('fixed: took the rights of others from')
  expect(fixed.stdout).toContain('fixed: removed gone.log.lock')
  const after = await ids(rig)
  for (const id of ['open-permissions', 'left-overs', 'summary-broken']) expect(after).not.toContain(id)
})

test('exit codes: 0 healthy, 1 findings, 2 could not look, at an unknown job either', async () => {
  await using rig = createRig()
  machine(rig)
  rig.env['PATH'] = `${rig.path('bin')}:${process.env['PATH']}`
  expect(await rig.run(['doctor', 'nobody'])).toMatchObject({ code: 2 })
  const nothing = await rig.run(['doctor'])
  expect(nothing).toMatchObject({ code: 1 })
  expect(nothing.stdout).toContain('holds no records')
  await rig.run(['--job', 'bad', '--', 'false'])
  expect((await rig.run(['doctor', 'bad'])).code).toBe(1)
  fs.removeSync(rig.home.logs)
  fs.writeFileSync(rig.home.logs, '')
  expect(await rig.run(['doctor'])).toMatchObject({ code: 2 })
})

const BASE = '/base'

test('crontab lines: not wrapped, not found, an unescaped %', () => {
  const idsOf = (...lines: string[]): string[] =>
    checkCrontab(userLines(lines.join('\n'), BASE), null).map(({ id }) => id)
  expect(idsOf('# comment', '', 'MAILTO=me', '@daily /usr/bin/env cronwrap -- /bin/true')).toEqual([])
  expect(idsOf('0 9 * * * python3 /srv/x.py')).toEqual(['crontab-not-wrapped'])
  expect(idsOf('0 9 * * * cronwrap --job x -- /bin/true')).toEqual(['crontab-path'])
  expect(idsOf('0 9 * * * /nowhere/cronwrap -- /bin/true')).toEqual(['crontab-path'])
  expect(idsOf('PATH=/nowhere', '@hourly cronwrap -- date +%F')).toEqual(['crontab-path', 'crontab-percent'])
  expect(idsOf('0 9 * * * cat%; /usr/bin/env cronwrap -- x')).toEqual(['crontab-percent'])
  const healthy = [
    '0 9 * * * cd /srv && cronwrap --job x -- /bin/true',
    '0 9 * * * PATH=/usr/bin:/bin /usr/bin/env cronwrap --job x -- /bin/true',
    `0 9 * * * ${process.execPath} ${BIN} --job x -- /bin/true`,
    '0 9 * * * /usr/bin/env cronwrap doctor',
    '0 9 * * * mail -s hi me%Body',
  ]
  for (const line of healthy)
    expect(idsOf(line).filter((id) => id !== 'crontab-not-wrapped' && !line.startsWith('0 9 * * * cd'))).toEqual([])
  const jobs = userLines(
    'CRONWRAP_HOME=/base\nCRONWRAP_JOB=a\n@daily cronwrap -- x\n@daily CRONWRAP_HOME=/other cronwrap --job b -- x',
    BASE,
  )
  expect(jobs.map(({ job }) => job)).toEqual(['a', null])
  expect(idsOf('0 9 * * * /usr/bin/env cronwrap --jobb x -- /bin/true')).toEqual(['crontab-refused'])
  expect(idsOf('0 9 * * * /usr/bin/env cronwrap --timeout 10 -- /bin/true')).toEqual(['crontab-refused'])
  expect(idsOf('0 9 * * * /usr/bin/env cronwrap --job "$X" -- "$Y"')).toEqual([])
  const fine = [String.raw`* * * * * /usr/bin/env cronwrap -- date +\%F`, '5 4 * * * cd / && run-parts /etc/cron.daily']
  expect(idsOf(...fine)).toEqual([])
  const [note] = checkCrontab(userLines('* * * * * FOO=1 /srv/a.sh | tee x', BASE), null)
  expect(note?.next).toBe("crontab -e: cronwrap --job a -- sh -c 'FOO=1 /srv/a.sh | tee x'")
})

test('a crontab job that never ran is told, one that ran is not', async () => {
  await using rig = createRig()
  machine(rig)
  rig.write('crontab', `PATH=${rig.path('bin')}:/usr/bin:/bin\n0 9 * * * cronwrap --job morning -- true\n`)
  expect(await ids(rig, 'morning')).toContain('never-ran')
  await rig.run(['--job', 'morning', '--', 'true'])
  expect(await ids(rig, 'morning')).toEqual([])
})

test('a run of OpenClaw is matched with the one it started, not with a later one; a skip is none', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  openclaw.setJobs([commandJob('twice')])
  const first = await recordedRun(rig, 'twice', 'true')
  await recordedRun(rig, 'twice', 'exit 1')
  openclaw.setRuns('id-twice', [finishedRun('twice', first - 20, { ts: first + 40, durationMs: 60 })])
  expect(await ids(rig, 'twice')).toEqual(['run-failed', 'delivered-without-id'])
  openclaw.setRuns('id-twice', [finishedRun('twice', Date.now() + 60_000, { status: 'skipped' })])
  expect(await ids(rig, 'twice')).toEqual(['run-failed'])
})

test('a run that OpenClaw missed, and one that it never ended', async () => {
  await using rig = createRig()
  const openclaw = machine(rig)
  await rig.run(['--job', 'other', '--', 'true'])
  const [hour, now] = [3_600_000, Date.now()]
  openclaw.setJobs([
    commandJob('missed', { state: { nextRunAtMs: now - hour } }),
    commandJob('stuck', { state: { runningAtMs: now - hour } }),
  ])
  expect(await ids(rig, 'missed')).toEqual(['openclaw-missed'])
  expect(await ids(rig, 'stuck')).toEqual(['openclaw-stuck'])
})

test('what each run would warn of is told once; a missing summary is made again', async () => {
  await using rig = createRig()
  machine(rig)
  await rig.run(['--job', 'a', '--', 'true'])
  fs.writeJsonSync(rig.home.config, { defaults: { timout: '1h' } })
  expect((await findings(rig)).map(({ seen }) => seen)).toEqual([expect.stringContaining('did you mean timeout?')])
  fs.removeSync(rig.home.config)
  fs.removeSync(rig.home.summary)
  expect(await ids(rig)).toEqual(['summary-missing'])
  await rig.run(['doctor', '--fix'])
  expect(await ids(rig)).toEqual([])
})
