import { expect, test } from 'vitest'
import { decideNotifications, levelOf } from '../../src/notify/decide-notifications.ts'
import { deriveAlerts } from '../../src/record/alerts.ts'
import type { JobEvent } from '../../src/record/event.ts'
import { fold } from '../../src/record/fold.ts'
import type { Summary } from '../../src/record/summary.ts'
import { runFinished } from '../support/events.ts'

const START_MS = Date.parse('2026-11-24T09:00:00Z')
const MINUTE_MS = 60_000
const CONFIG = {
  targetsOf: () => ['ops', 'chat'],
  names: new Set(['ops', 'chat']),
  cooldownMs: 5 * MINUTE_MS,
  expiresMs: 60 * MINUTE_MS,
}

/** A journal in memory, one event a minute, with a look after each. */
class Scene {
  summary: Summary = new Map()
  nowMs = START_MS
  config: Parameters<typeof decideNotifications>[2] = CONFIG
  readonly told: string[] = []
  #offset = 0
  readonly #newId = (): string => `notification-${this.#offset}`

  add(...events: readonly JobEvent[]): void {
    const placed = events.map((event) => ({
      event,
      position: { sequence: 1, segment: 'one', offset: ++this.#offset, check: '' },
    }))
    this.summary = fold(this.summary, placed)
  }

  look(): void {
    const now = new Date(this.nowMs)
    const decided = decideNotifications(this.summary, deriveAlerts(this.summary, now), this.config, now, this.#newId)
    this.told.push(...decided.map(({ step, level, alert }) => `${step} ${level} ${alert.count}`))
    // As two that look at once would: each gives what it decides an id of its own.
    this.add(...decided, ...decided.map((each) => ({ ...each, id: `${each.id}-again` })))
  }

  runs(results: string): void {
    for (const result of results.replaceAll(' ', '')) {
      this.nowMs += MINUTE_MS
      this.add(runFinished('job', this.#offset, { startedMs: this.nowMs, failed: result === 'F' }))
      this.look()
    }
  }
}

test.each([
  ['31: F F S F F is no alert', 'FF S FF', []],
  ['31: F F F is one', 'FFF', ['opened 3 3']],
  ['31: F x 10 is still one, with a reminder', 'FFF FFF FFF F', ['opened 3 3', 'grown 10 10']],
  ['31: S is one recovery, if an alert went out', 'FF S FFF S S', ['opened 3 3', 'recovered 3 0']],
  ['after the cooldown an alert that came back is told', 'FFF S FFF FF', ['opened 3 3', 'recovered 3 0', 'opened 3 5']],
  ['not one that is over by then', 'FFF S FFF S SSSS', ['opened 3 3', 'recovered 3 0']],
])('%s', (_, results, told) => {
  const scene = new Scene()
  scene.runs(results)
  expect(scene.told).toEqual(told)
})

test('what is over says how', () => {
  const scene = new Scene()
  scene.runs('FFF')
  scene.nowMs += MINUTE_MS
  scene.add(runFinished('job', 99, { startedMs: scene.nowMs, durationMs: 812 }))
  const [decided] = decideNotifications(scene.summary, [], CONFIG, new Date(scene.nowMs), String)
  expect(decided?.alert).toMatchObject({ message: 'succeeds again: exit 0 after 812 ms', run_id: 'job-99' })
})

test('what somebody knows of does not grow, but its end is told', () => {
  const scene = new Scene()
  scene.runs('FFF')
  const time = new Date(scene.nowMs).toISOString()
  const alerts = deriveAlerts(scene.summary, new Date(scene.nowMs)).map(({ kind, since }) => ({ kind, since }))
  scene.add({ type: 'alert.acknowledged', id: 'ack', time, job: 'job', alerts })
  scene.runs('FFFFFFFFFFFF S')
  expect(scene.told).toEqual(['opened 3 3', 'recovered 3 0'])
})

test('an alert that is known is another one when it comes again', () => {
  const scene = new Scene()
  const missed = (after: string | null, until: string): JobEvent => {
    const last_run = scene.summary.get('job')?.last_run ?? null
    const times = { after, last_run, until, count: 1, in_a_row: 1, in_a_row_since: until, due: [until] }
    return { type: 'run.missed', id: until, time: until, job: 'job', ...times }
  }
  const open = (): unknown[] =>
    deriveAlerts(scene.summary, new Date(scene.nowMs)).map(({ kind, acknowledged }) => [kind, acknowledged])
  scene.runs('S')
  scene.add(missed(null, '2026-11-24T10:00:00Z'))
  const alerts = deriveAlerts(scene.summary, new Date(scene.nowMs)).map(({ kind, since }) => ({ kind, since }))
  scene.add({ type: 'alert.acknowledged', id: 'ack', time: '2026-11-24T10:30:00Z', job: 'job', alerts })
  expect(open()).toEqual([['missed', true]])
  scene.add({
    type: 'schedule.set',
    id: 'gone',
    time: '2026-11-24T11:00:00Z',
    job: 'job',
    schedule: null,
    source: 'command',
  })
  expect(open()).toEqual([])
  scene.add(missed('2026-11-24T10:00:00Z', '2026-11-24T12:00:00Z'))
  expect(open()).toEqual([['missed', false]])
})

test('a threshold that is raised is no success', () => {
  const scene = new Scene()
  scene.runs('FFF')
  scene.nowMs += MINUTE_MS
  const failed = { ...runFinished('job', 99, { startedMs: scene.nowMs, failed: true, durationMs: 1 }), alert_after: 10 }
  scene.add(failed)
  const [decided] = decideNotifications(scene.summary, [], CONFIG, new Date(scene.nowMs), String)
  expect(decided?.alert.message).toMatch(/^is no alert any more, but still fails: /)
})

/** Each job has a notification of its own that the targets took or did not. */
function attempts(scene: Scene, job: string, results: Record<string, 'sent' | 'failed' | 'rejected'>): void {
  const [time, expires, targets] = [new Date(scene.nowMs).toISOString(), '2030-01-01T00:00:00Z', Object.keys(results)]
  const alert = { kind: 'slow', since: time, message: 'm', last_error: null, run_id: null, count: 1 }
  const told = scene.summary.get(job)?.told.find(({ kind }) => kind === 'slow')?.id ?? null
  const id = `${job} ${time}`
  scene.add(runFinished(job, scene.nowMs, { startedMs: scene.nowMs }))
  scene.add({ type: 'notification', id, time, job, after: told, step: 'opened', level: 1, alert, targets, expires })
  for (const [target, outcome] of Object.entries(results)) {
    const attempt = { time, job, notification_id: id, target, attempt: 1 }
    scene.add({ ...attempt, type: 'notification.attempt', id: `${id} ${target}`, retry_at: expires })
    const error = outcome === 'sent' ? null : 'no'
    scene.add({ ...attempt, type: 'notification.outcome', id: `${id} ${target} end`, outcome, error, retry_at: null })
  }
}

test('a channel that fails is one alert, told once to all others that would hear of its jobs', () => {
  const scene = new Scene()
  const heard: Record<string, string[]> = { a: ['x'], b: ['x', 'mail'], c: ['x', 'y', 'chat'] }
  scene.config = { ...CONFIG, targetsOf: (job) => heard[job] ?? [], names: new Set(['x', 'y', 'mail', 'chat']) }
  const open = (): string[] =>
    deriveAlerts(scene.summary, new Date(scene.nowMs)).map(({ job_id, message }) => `${job_id}: ${message}`)
  const look = (): unknown[] =>
    decideNotifications(
      scene.summary,
      deriveAlerts(scene.summary, new Date(scene.nowMs)),
      scene.config,
      new Date(scene.nowMs),
      () => `n${scene.nowMs}`,
    ).flatMap((decided) => {
      scene.add(decided)
      return decided.alert.kind === 'notification_failed' ? [[decided.job, decided.step, decided.targets]] : []
    })
  const later = (): void => void (scene.nowMs += 10 * MINUTE_MS)
  attempts(scene, 'a', { x: 'rejected' })
  later()
  for (const job of ['b', 'c']) attempts(scene, job, { x: 'rejected' })
  expect(open()).toEqual(['a: notifications do not reach x'])
  expect(look()).toEqual([['a', 'opened', ['mail', 'y', 'chat']]])
  later()
  attempts(scene, 'c', { y: 'rejected' })
  expect(open()).toEqual(['a: notifications do not reach x', 'c: notifications do not reach y'])
  expect(look()).toEqual([['c', 'opened', ['chat']]])
  later()
  // The order in which they fail again is no news.
  attempts(scene, 'c', { x: 'rejected', y: 'rejected' })
  expect(look()).toEqual([])
  later()
  attempts(scene, 'b', { x: 'sent' })
  expect(open()).toEqual(['c: notifications do not reach y'])
  expect(look()).toEqual([['a', 'recovered', ['mail', 'y', 'chat']]])
})

test('31: of an alert that nobody took no end is told; it is told once somebody takes it', () => {
  const scene = new Scene()
  scene.runs('FFF')
  const [pending] = scene.summary.get('job')?.notifications ?? []
  const outcome = (target: string, result: 'sent' | 'rejected', notification: string): void => {
    const attempt = { time: new Date(scene.nowMs).toISOString(), job: 'job', notification_id: notification, target }
    const id = `${notification} ${target}`
    scene.add({ ...attempt, type: 'notification.attempt', id, attempt: 1, retry_at: attempt.time })
    const end = { id: `${id} end`, attempt: 1, outcome: result, error: null, retry_at: null }
    scene.add({ ...attempt, type: 'notification.outcome', ...end })
  }
  outcome('ops', 'rejected', pending?.id ?? '')
  outcome('chat', 'rejected', pending?.id ?? '')
  const unheard = scene.summary
  scene.runs('S')
  expect(scene.told).toEqual(['opened 3 3'])
  scene.summary = unheard
  scene.runs('FFFFF')
  expect(scene.told).toEqual(['opened 3 3', 'opened 3 7'])
  const again = scene.summary.get('job')?.notifications.at(-1)
  outcome('ops', 'rejected', again?.id ?? '')
  outcome('chat', 'sent', again?.id ?? '')
  scene.runs('S')
  // The channel that refused is an alert of its own.
  expect(scene.told).toEqual(['opened 3 3', 'opened 3 7', 'opened 1 2', 'recovered 3 0'])
  expect(
    scene.summary
      .get('job')
      ?.notifications.at(-1)
      ?.targets.map(({ name }) => name),
  ).toEqual(['chat'])
})

test('a channel keeps the alert of the job that it failed first, and somebody who knows of it hears of another', () => {
  const scene = new Scene()
  const open = (): string[] =>
    deriveAlerts(scene.summary, new Date(scene.nowMs)).map(
      ({ job_id, message, acknowledged }) => `${job_id}: ${message}${acknowledged ? ' (known)' : ''}`,
    )
  attempts(scene, 'web', { x: 'failed' })
  // Within the same second, and a name that comes before.
  scene.nowMs += 1
  attempts(scene, 'db', { x: 'rejected' })
  expect(open()).toEqual(['web: notifications do not reach x'])
  const alerts = deriveAlerts(scene.summary, new Date(scene.nowMs)).map(({ kind, since }) => ({ kind, since }))
  scene.add({ type: 'alert.acknowledged', id: 'ack', time: new Date(scene.nowMs).toISOString(), job: 'web', alerts })
  scene.nowMs += 60 * MINUTE_MS
  attempts(scene, 'web', { x: 'failed' })
  expect(open()).toEqual(['web: notifications do not reach x (known)'])
  attempts(scene, 'web', { y: 'rejected' })
  expect(open()).toEqual(['web: notifications do not reach x (known)'])
})

test('the steps are 1, 3, 10, 30, 100, …', () => {
  expect([1, 2, 3, 9, 10, 29, 30, 99, 100, 1_000_000].map(levelOf)).toEqual([
    1, 1, 3, 3, 10, 10, 30, 30, 100, 1_000_000,
  ])
})

test('nobody is told of a job that nobody wants to hear of', () => {
  const scene = new Scene()
  scene.runs('FFF')
  const alerts = deriveAlerts(scene.summary, new Date(scene.nowMs))
  expect(decideNotifications(new Map(), alerts, CONFIG, new Date(scene.nowMs), String)).toEqual([])
  const silent = { ...CONFIG, targetsOf: () => [] }
  const untold = new Map([...scene.summary].map(([job, entry]) => [job, { ...entry, told: [] }]))
  expect(decideNotifications(untold, alerts, silent, new Date(scene.nowMs), String)).toEqual([])
})
