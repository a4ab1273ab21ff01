import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { notify } from '../../src/notify/notify.ts'
import { makeDirectory } from '../../src/platform/make-directory.ts'
import { appendEvent } from '../../src/record/journal.ts'
import { foldIntoViews } from '../../src/record/publish.ts'
import { readSummary } from '../../src/record/read-records.ts'
import type { NotificationDecided } from '../../src/record/notification-event.ts'
import { runFinished } from '../support/events.ts'
import { createRig, until, type Rig } from '../support/rig.ts'
import { seeded } from '../support/seeded.ts'
import { WebhookServer, type Mood } from '../support/webhook-server.ts'

const MINUTE_MS = 60_000
const COOLDOWN_MS = 30 * MINUTE_MS
const START_MS = Date.parse('2026-11-01T00:00:00Z')
const MOODS: readonly Mood[] = ['ok', 'error', 'busy', 'hang', 'drop', 'drop-late']

function configure(rig: Rig, targets: object, more: object = {}): void {
  fs.outputJsonSync(rig.home.config, { notify: { targets, timeout: '150ms', ...more } })
  makeDirectory(rig.home.logs)
}

/** Those that count: of several that follow the same the first. */
function decisions(rig: Rig): NotificationDecided[] {
  const followed = new Set<string>()
  return rig.events().flatMap((event) => {
    if (event.type !== 'notification') return []
    const key = `${event.job} ${event.alert.kind} ${event.after}`
    if (followed.has(key)) return []
    followed.add(key)
    return [event]
  })
}

function idsOf(server: WebhookServer): string[] {
  return server.accepted.map(({ body }) => (JSON.parse(body) as { id: string }).id)
}

test('a server that fails, hangs, drops and comes back gets each step once, in order, however many send at once', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  configure(rig, { hook: { type: 'webhook', url: server.url } }, { expires: '30d' })
  const random = seeded(5)
  let nowMs = START_MS
  const tell = async (): Promise<void> => {
    const options = { now: () => new Date(nowMs), hurry: () => false }
    await Promise.all(Array.from({ length: 1 + Math.floor(random() * 3) }, () => notify(rig.home, options)))
  }
  let down = false
  for (let step = 0; step < 120; step++) {
    nowMs += Math.round(1 + random() * 20) * MINUTE_MS
    const job = `job-${Math.floor(random() * 3)}`
    for (let run = 0; run < 1 + random() * 5; run++)
      appendEvent(
        rig.home,
        runFinished(job, step * 10 + run, { startedMs: nowMs + run * 2000, failed: random() < 0.85 }),
      )
    if (random() < 0.1 !== down) {
      await (down ? server.listen() : server.goAway())
      down = !down
    }
    server.mood = MOODS[Math.floor(random() * MOODS.length)] ?? 'ok'
    await tell()
  }
  if (down) await server.listen()
  server.mood = 'ok'
  for (let step = 0; step < 60 && pending(rig) > 0; step++) {
    nowMs += 30 * MINUTE_MS
    await tell()
  }
  const decided = decisions(rig)
  expect(pending(rig)).toBe(0)
  expect(decided.length).toBeGreaterThan(20)
  expect(new Set(decided.map(({ step }) => step))).toEqual(new Set(['opened', 'grown', 'recovered']))
  // At least once, at most once, and of each job in order.
  const arrived = server.accepted.map(({ body }) => JSON.parse(body) as { id: string; job: string })
  expect(arrived).toHaveLength(decided.length)
  for (const job of new Set(decided.map((each) => each.job))) {
    const ids = (all: readonly { id: string; job: string }[]): string[] =>
      all.filter((each) => each.job === job).map(({ id }) => id)
    expect(ids(arrived)).toEqual(ids(decided))
  }
  expect(server.received.length).toBeGreaterThan(decided.length)
  for (const [index, decision] of decided.entries()) {
    const before = decided.slice(0, index).findLast(({ job }) => job === decision.job)
    if (before === undefined || decision.step === 'recovered') continue
    expect(Date.parse(decision.time) - Date.parse(before.time)).toBeGreaterThanOrEqual(COOLDOWN_MS)
  }
})

function pending(rig: Rig): number {
  return [...readSummary(rig.home).values()].flatMap(({ notifications }) => notifications).length
}

test('six programs at once send each notification once', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  configure(rig, { hook: { type: 'webhook', url: server.url } }, { timeout: '10s' })
  for (let job = 0; job < 5; job++)
    for (let run = 0; run < 3; run++)
      appendEvent(rig.home, runFinished(`job-${job}`, run, { startedMs: Date.now() - 5000 + run, failed: true }))
  const results = await Promise.all(Array.from({ length: 6 }, () => rig.run(['check', '--quiet'])))
  expect(results.map(({ code, stdout, stderr }) => ({ code, stdout, stderr }))).toEqual(
    Array.from({ length: 6 }, () => ({ code: 2, stdout: '', stderr: '' })),
  )
  // What one had claimed but not sent yet when the others looked is its to send.
  expect(idsOf(server).sort()).toEqual(
    decisions(rig)
      .map(({ id }) => id)
      .sort(),
  )
  expect(idsOf(server)).toHaveLength(5)
})

test('whoever dies while it sends leaves the message to the next one, once its time is over', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  configure(rig, { hook: { type: 'webhook', url: server.url } }, { timeout: '20s' })
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('job', run, { startedMs: Date.now() - 5000 + run, failed: true }))
  server.mood = 'hang'
  const sender = rig.start(['check'])
  await until('the message is on its way', () => server.received.length > 0)
  sender.kill('SIGKILL')
  await sender
  server.mood = 'ok'
  const at = (minutes: number): Parameters<typeof notify>[1] => ({
    now: () => new Date(Date.now() + minutes * MINUTE_MS),
    hurry: () => false,
  })
  await notify(rig.home, at(0))
  expect(server.accepted).toHaveLength(0)
  await notify(rig.home, at(2))
  await notify(rig.home, at(3))
  expect(server.accepted).toHaveLength(1)
  // The receiver can tell: it is the same id.
  expect(new Set(server.received.map(({ body }) => body)).size).toBe(1)
})

test('what is refused for good, or expires, is not sent again, and the target becomes an alert that others hear of', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  await using other = await WebhookServer.start()
  configure(
    rig,
    { hook: { type: 'webhook', url: server.url }, other: { type: 'webhook', url: other.url } },
    { expires: '1h' },
  )
  let nowMs = START_MS
  const tell = (): Promise<unknown> => notify(rig.home, { now: () => new Date(nowMs), hurry: () => false })
  const fail = (job: string): void => {
    for (let run = 0; run < 3; run++)
      appendEvent(rig.home, runFinished(job, run, { startedMs: nowMs + run, failed: true }))
  }
  server.mood = 'refuse'
  fail('refused')
  await tell()
  nowMs += 5 * MINUTE_MS
  await tell()
  expect(server.received).toHaveLength(1)
  expect(kindsAt(other)).toEqual(['consecutive_failures', 'notification_failed'])
  server.mood = 'error'
  fail('expired')
  for (let minute = 0; minute < 90; minute += 10) {
    nowMs += 10 * MINUTE_MS
    await tell()
  }
  await foldIntoViews(rig.home)
  const { failing_targets: failing } = rig.summary()['expired'] ?? {}
  expect(failing).toMatchObject([{ target: 'hook', final: true, error: expect.stringContaining('HTTP 500') as string }])
  const afterExpiry = server.received.length
  nowMs += 100 * MINUTE_MS
  await tell()
  expect(server.received).toHaveLength(afterExpiry)
  // It reaches the target again: the alert is over.
  server.mood = 'ok'
  fail('again')
  nowMs += MINUTE_MS
  await tell()
  expect(kindsAt(server)).toContain('consecutive_failures')
  await foldIntoViews(rig.home)
  expect(rig.alerts().map(({ job_id, kind }) => `${job_id} ${kind}`)).toEqual(
    ['again', 'expired', 'refused'].map((job) => `${job} consecutive_failures`),
  )
})

function kindsAt(server: WebhookServer): string[] {
  return server.accepted.map(({ body }) => (JSON.parse(body) as { kind: string }).kind)
}

test('a setting that cannot be used for a while loses nothing', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  const secret = rig.path('base/url')
  configure(rig, { hook: { type: 'webhook', url_file: secret } })
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('job', run, { startedMs: START_MS, failed: true }))
  const tell = (minute: number): Promise<unknown> =>
    notify(rig.home, { now: () => new Date(START_MS + minute * MINUTE_MS), hurry: () => false })
  fs.writeFileSync(secret, server.url)
  server.mood = 'error'
  await tell(1)
  fs.removeSync(secret)
  await tell(5)
  fs.writeFileSync(rig.home.config, '{"notify": ')
  await tell(10)
  configure(rig, { hook: { type: 'webhook', url_file: secret } })
  fs.writeFileSync(secret, server.url)
  server.mood = 'ok'
  await tell(15)
  expect(server.accepted).toHaveLength(1)
})

test('another target that can be used takes nothing away from one that cannot', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  await using other = await WebhookServer.start()
  const secret = rig.path('base/url')
  configure(rig, { hook: { type: 'webhook', url_file: secret }, other: { type: 'webhook', url: other.url } })
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('job', run, { startedMs: START_MS, failed: true }))
  const tell = (minute: number): Promise<unknown> =>
    notify(rig.home, { now: () => new Date(START_MS + minute * MINUTE_MS), hurry: () => false })
  await tell(1)
  expect(kindsAt(other)).toEqual(['consecutive_failures'])
  fs.writeFileSync(secret, server.url)
  await tell(5)
  expect(kindsAt(server)).toEqual(['consecutive_failures'])
})

test('a target that is gone is no alert, and what waited for it ends quietly', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  const other = { type: 'webhook', url: server.url }
  const gone = { type: 'webhook', url: 'http://127.0.0.1:1/' }
  configure(rig, { gone, other })
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('job', run, { startedMs: START_MS, failed: true }))
  const tell = (minute: number): Promise<unknown> =>
    notify(rig.home, { now: () => new Date(START_MS + minute * MINUTE_MS), hurry: () => false })
  for (const minute of [1, 10, 30, 35]) await tell(minute)
  expect(kindsAt(server)).toEqual(['consecutive_failures', 'notification_failed'])
  configure(rig, { other })
  for (const minute of [40, 24 * 60 + 5, 24 * 60 + 50]) await tell(minute)
  const told = server.accepted.map(({ body }) => JSON.parse(body) as { kind: string; event: string })
  expect(told.map(({ kind, event }) => `${kind} ${event}`)).toEqual([
    'consecutive_failures opened',
    'notification_failed opened',
    'notification_failed recovered',
  ])
  expect(rig.summary()['job']?.notifications).toEqual([])
})

test('an answer of any length is recorded', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  server.answer = JSON.stringify({ code: 1, msg: 'x'.repeat(65_400) })
  configure(rig, { long: { type: 'webhook', url: server.url, template: 'feishu' } })
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('job', run, { startedMs: START_MS, failed: true }))
  await notify(rig.home, { now: () => new Date(START_MS + MINUTE_MS), hurry: () => false })
  expect(rig.events()).toContainEqual(
    expect.objectContaining({ type: 'notification.outcome', error: expect.stringMatching(/^.{100,600}$/) as string }),
  )
})

test('a clock that was wrong, and a second streak within one second, silence nothing', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  configure(rig, { hook: { type: 'webhook', url: server.url } }, { cooldown: '0' })
  const steps = async (nowMs: number, results: string): Promise<void> => {
    for (const [index, result] of results.split('').entries()) {
      const event = runFinished('job', nowMs + index, { startedMs: nowMs + index, failed: result === 'F' })
      appendEvent(rig.home, { ...event, alert_after: 1 })
      await notify(rig.home, { now: () => new Date(nowMs + index), hurry: () => false })
    }
  }
  const aheadMs = START_MS + 150 * 24 * 60 * MINUTE_MS
  await steps(aheadMs, 'F')
  await steps(START_MS, 'SFSFF')
  const events = server.received.map(({ body }) => (JSON.parse(body) as { event: string }).event)
  expect(events).toEqual(['opened', 'recovered', 'opened', 'recovered', 'opened'])
})

test('of two jobs that end together both are told, though only one of them sends', async () => {
  await using rig = createRig()
  const command = [
    'sh',
    '-c',
    `until [ -e "$HOME/go" ]; do sleep 0.02; done; echo "$CRONWRAP_ALERT_JOB" >> "$HOME/told"`,
  ]
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1 },
    notify: { targets: { list: { type: 'command', command } } },
  })
  const first = rig.start(['--job', 'first', '--', 'false'])
  await until('the first one sends', () => rig.events().some((event) => event.type === 'notification.attempt'))
  const second = rig.start(['--job', 'second', '--', 'false'])
  await until('the second one is decided', () => decisions(rig).length === 2)
  rig.write('go', '')
  await Promise.all([first, second])
  expect(fs.readFileSync(rig.path('told'), 'utf8').split('\n').sort()).toEqual(['', 'first', 'second'])
})

test('a message that is not taken keeps no other job waiting; a server may not ask for a year', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  configure(rig, { hook: { type: 'webhook', url: server.url } })
  const tell = (minute: number): Promise<unknown> =>
    notify(rig.home, { now: () => new Date(START_MS + minute * MINUTE_MS), hurry: () => false })
  const fail = (job: string): void => {
    for (let run = 0; run < 3; run++)
      appendEvent(rig.home, runFinished(job, run, { startedMs: START_MS, failed: true }))
  }
  server.retryAfter = '99999999999999'
  server.mood = 'busy'
  fail('stuck')
  await tell(1)
  fail('other')
  server.mood = 'ok'
  await tell(2)
  expect(server.accepted.map(({ body }) => (JSON.parse(body) as { job: string }).job)).toEqual(['other'])
  await tell(17)
  expect(server.accepted).toHaveLength(2)
})

test('what was taken with an answer that has no end, or breaks, is not sent again', async () => {
  await using rig = createRig()
  await using waits = await WebhookServer.start()
  await using breaks = await WebhookServer.start()
  await using refuses = await WebhookServer.start()
  configure(rig, {
    waits: { type: 'webhook', url: waits.url, template: 'telegram', chat_id: 1 },
    breaks: { type: 'webhook', url: breaks.url, template: 'wecom' },
    refuses: { type: 'webhook', url: refuses.url, template: 'feishu' },
  })
  Object.assign(waits, { mood: 'unfinished', answer: '{"ok":' })
  Object.assign(breaks, { mood: 'broken', answer: '' })
  Object.assign(refuses, { mood: 'unfinished', answer: '{"code":19021,"msg":"sign match fail"}' })
  for (const job of ['one', 'two'])
    for (let run = 0; run < 3; run++)
      appendEvent(rig.home, runFinished(job, run, { startedMs: START_MS, failed: true }))
  const tell = (minute: number): Promise<unknown> =>
    notify(rig.home, { now: () => new Date(START_MS + minute * MINUTE_MS), hurry: () => false })
  await tell(1)
  // The second message would have taken all of its time too, unless the connection broke.
  expect([waits, breaks, refuses].map(({ received }) => received.length)).toEqual([1, 2, 1])
  await tell(60)
  await tell(120)
  expect([waits, breaks].map(({ received }) => received.length)).toEqual([2, 2])
  expect(refuses.received.length).toBeGreaterThan(2)
})

test('a wait may be asked for as a date', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  configure(rig, { hook: { type: 'webhook', url: server.url } })
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('job', run, { startedMs: START_MS, failed: true }))
  const tell = (minute: number): Promise<unknown> =>
    notify(rig.home, { now: () => new Date(START_MS + minute * MINUTE_MS), hurry: () => false })
  server.mood = 'busy'
  server.retryAfter = new Date(Date.now() + 10 * MINUTE_MS).toUTCString()
  await tell(1)
  server.mood = 'ok'
  await tell(9)
  expect(server.accepted).toHaveLength(0)
  await tell(12)
  expect(server.accepted).toHaveLength(1)
})

test('an alert of a target ends when the target is gone from the settings, or takes a test', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  const targets = { gone: { type: 'webhook', url: server.url }, tested: { type: 'webhook', url: server.url } }
  configure(rig, targets)
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('job', run, { startedMs: START_MS, failed: true }))
  server.mood = 'refuse'
  await rig.run(['check'])
  const kinds = (): string[] => rig.alerts().map(({ kind, message }) => `${kind} ${message.split(' reach ')[1] ?? ''}`)
  expect(kinds()).toContain('notification_failed gone, tested')
  configure(rig, { tested: targets.tested })
  await rig.run(['check'])
  expect(kinds()).toContain('notification_failed tested')
  // What waits for a further attempt need not wait once the target is mended.
  server.mood = 'error'
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('waits', run, { startedMs: START_MS, failed: true }))
  await rig.run(['check'])
  server.mood = 'ok'
  await rig.run(['notify', 'test', 'tested'])
  expect(kinds()).toEqual(['consecutive_failures ', 'consecutive_failures '])
  await rig.run(['check'])
  expect(kindsAt(server)).toEqual(['test', 'consecutive_failures'])
})

test('targets that hang are tried once in a pass, and not for each job', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  server.mood = 'hang'
  for (const name of ['openclaw', 'sendmail', 'page']) rig.write(`bin/${name}`, '#!/bin/sh\nsleep 60\n')
  const targets = {
    chat: { type: 'openclaw', channel: 'telegram', to: '-1001' },
    hook: { type: 'webhook', url: server.url },
    pager: { type: 'command', command: ['page'] },
    root: { type: 'mail', to: 'root' },
  }
  configure(rig, targets, { timeout: '300ms' })
  for (let job = 0; job < 4; job++)
    for (let run = 0; run < 3; run++)
      appendEvent(rig.home, runFinished(`job-${job}`, run, { startedMs: Date.now() - 5000 + run, failed: true }))
  await rig.runWith({ PATH: `${rig.path('bin')}:${process.env['PATH'] ?? ''}` }, ['check', '--quiet'])
  const tried = rig.events().flatMap((event) => (event.type === 'notification.attempt' ? event.target : []))
  expect(tried.sort()).toEqual(Object.keys(targets))
})
