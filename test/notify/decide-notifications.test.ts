import { expect, test } from 'vitest'
import { decideNotifications, levelOf } from '../../src/notify/decide-notifications.ts'
import { deriveAlerts } from '../../src/record/alerts.ts'
import type { JobEvent } from '../../src/record/event.ts'
import { fold } from '../../src/record/fold.ts'
import type { Summary } from '../../src/record/summary.ts'
import { runFinished } from '../support/events.ts'

const START_MS = Date.parse('2026-11-24T09:00:00Z')
const MINUTE_MS = 60_000
const CONFIG = { targetsOf: () => ['ops', 'chat'], cooldownMs: 5 * MINUTE_MS, expiresMs: 60 * MINUTE_MS }

/** A journal in memory, one event a minute, with a look after each. */
class Scene {
  summary: Summary = new Map()
  nowMs = START_MS
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
    const decided = decideNotifications(this.summary, deriveAlerts(this.summary, now), CONFIG, now, this.#newId)
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
  scene.add({ type: 'alert.acknowledged', id: 'ack', time, job: 'job', kinds: ['consecutive_failures'] })
  scene.runs('FFFFFFFFFFFF S')
  expect(scene.told).toEqual(['opened 3 3', 'recovered 3 0'])
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
