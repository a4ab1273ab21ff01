import fs from 'fs-extra'
import { check } from '../../src/check/check.ts'
import { notify } from '../../src/notify/notify.ts'
import { toLocalIso } from '../../src/platform/clock.ts'
import { makeDirectory } from '../../src/platform/make-directory.ts'
import { appendEvent } from '../../src/record/journal.ts'
import { readSummary } from '../../src/record/read-records.ts'
import { runFinished } from '../support/events.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { Oracle } from './oracle.ts'
import { eachCase, type Context, type Outcome, type Scenario } from './scenario.ts'
import { onRecords, runTraced, straceUnavailable, type Call } from './trace.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/** A job that failed three times, one that was due each hour and never ran, and somebody who writes down what is told. */
function prepare(rig: Rig, sinceMs: number): void {
  const command = ['sh', '-c', `echo "$CRONWRAP_ALERT_KIND" >> ${rig.path('told')}`]
  fs.outputJsonSync(rig.home.config, { notify: { timeout: '5s', targets: { list: { type: 'command', command } } } })
  makeDirectory(rig.home.logs)
  for (let run = 0; run < 3; run++)
    appendEvent(rig.home, runFinished('failing', run, { startedMs: sinceMs + run, failed: true }))
  appendEvent(rig.home, {
    type: 'schedule.set',
    id: 'set',
    time: toLocalIso(new Date(sinceMs), 'milliseconds'),
    job: 'due',
    schedule: { expression: '0 * * * *', tz: 'UTC', grace_ms: 0 },
    source: 'command',
  })
}

async function killAtEachCall({ soak }: Context): Promise<Outcome> {
  const sinceMs = Date.now() - 5 * HOUR_MS
  const calls = await callsOfCheck(sinceMs, soak)
  return eachCase(
    calls,
    3,
    ({ name, number }) => `check under strace -e inject=${name}:signal=KILL:when=${number}`,
    async ({ name, number }) => {
      await using rig = createRig()
      const oracle = new Oracle(rig)
      prepare(rig, sinceMs)
      const killed = await runTraced(rig, ['check'], { inject: `${name}:signal=KILL:when=${number}` })
      await oracle.quiet()
      oracle.letTimePass()
      const later = new Date(Date.now() + 5 * MINUTE_MS)
      const problems = await check(rig.home, later)
      await notify(rig.home, { now: () => later, hurry: () => false })
      return [
        ...problems.map(({ text }) => text),
        ...toldWrong(rig, killed.code === undefined),
        ...missedWrong(rig, sinceMs, later),
      ]
    },
  )
}

/** Each alert was told, and twice only where it cannot be known whether the first time was in vain. */
function toldWrong(rig: Rig, wasKilled: boolean): string[] {
  const told = fs.existsSync(rig.path('told')) ? fs.readFileSync(rig.path('told'), 'utf8').split('\n') : []
  const pending = [...readSummary(rig.home)].flatMap(([job, { notifications }]) => notifications.map(() => job))
  return [
    ...pending.map((job) => `a notification of ${job} still waits`),
    ...['consecutive_failures', 'missed'].flatMap((kind) => {
      const times = told.filter((each) => each === kind).length
      return times >= 1 && times <= (wasKilled ? 2 : 1) ? [] : [`${kind} was told ${times} times`]
    }),
  ]
}

function missedWrong(rig: Rig, sinceMs: number, now: Date): string[] {
  const due = Math.floor(now.getTime() / HOUR_MS) - Math.floor(sinceMs / HOUR_MS)
  const { missed_runs: missed, consecutive_missed: inARow } = readSummary(rig.home).get('due') ?? {}
  return missed === due && inARow === due ? [] : [`${missed} (${inARow}) missed runs were told instead of ${due}`]
}

async function callsOfCheck(sinceMs: number, all: boolean): Promise<Call[]> {
  await using rig = createRig()
  prepare(rig, sinceMs)
  const { calls } = await runTraced(rig, ['check'])
  const matters = (call: Call): boolean => onRecords(call, rig) || /^(?:clone|vfork|exit)/.test(call.name)
  // Of those that differ little every other one.
  return calls.filter((call) => all || matters(call)).filter((_, index) => all || index % 2 === 0)
}

export const NOTIFY_SCENARIOS: readonly Scenario[] = [
  { name: 'SIGKILL at each call of a check that notifies', unavailable: straceUnavailable, run: killAtEachCall },
]
