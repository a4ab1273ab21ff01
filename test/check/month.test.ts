import { expect, test } from 'vitest'
import { check } from '../../src/check/check.ts'
import type { Home } from '../../src/config/base-directory.ts'
import { toLocalIso } from '../../src/platform/clock.ts'
import { makeDirectory } from '../../src/platform/make-directory.ts'
import type { RunFinished } from '../../src/record/event.ts'
import { appendEvent } from '../../src/record/journal.ts'
import { getAlerts } from '../../src/record/read-records.ts'
import { parseCrontab } from '../../src/schedule/crontab.ts'
import { beginRun } from '../support/begin-run.ts'
import { runFinished } from '../support/events.ts'
import { createRig } from '../support/rig.ts'
import { seeded } from '../support/seeded.ts'
import { cronStarts } from '../support/simulated-cron.ts'

const MINUTE_MS = 60_000
const GRACE_MS = 10 * MINUTE_MS

/** A crontab as people have it. */
const CRONTAB = [
  { name: 'each-half-hour', expression: '*/30 * * * *' },
  { name: 'hourly', expression: '5 * * * *' },
  { name: 'in-the-gap', expression: '30 2 * * *' },
  { name: 'at-the-change', expression: '0 2 * * *' },
  { name: 'workdays', expression: '0 9 * * Mon-Fri' },
  { name: 'weekly', expression: '15 4 * * 7' },
  { name: 'first-or-monday', expression: '0 6 1 * 1' },
  { name: 'thrice', expression: '10 1,12,23 * * *' },
  { name: 'twice-twice', expression: '0,30 2,14 * * *' },
  { name: 'before-the-change', expression: '0-59/20 1 * * *' },
  { name: 'office-hours', expression: '*/20 8-17 * * 1-5' },
]

/** As an import learns it. */
function schedulesIn(tz: string): { name: string; expression: string }[] {
  const lines = CRONTAB.map(({ name, expression }) => `${expression} cronwrap --job ${name} -- /srv/${name}.sh`)
  const source = { name: 'crontab', form: 'user', environmentOf: () => ({ HOME: '/root' }) } as const
  return parseCrontab([`CRON_TZ=${tz}`, '# one line a job', ...lines].join('\n'), source).map(({ times, wrapped }) => {
    if (times.kind !== 'times' || wrapped === null) throw new Error('a line was not understood')
    expect(times.tz).toBe(tz)
    return { name: wrapped.job, expression: times.expression }
  })
}

interface Simulated {
  readonly runs: RunFinished[]
  /** By job. */
  readonly missed: ReadonlyMap<string, string[]>
}

test.each([
  ['spring', 'Europe/Berlin', '2026-03-14T00:00:00Z', '2026-04-14T00:00:00Z', 1],
  ['autumn', 'America/New_York', '2026-10-15T00:00:00Z', '2026-11-15T00:00:00Z', 3],
  ['spring, half an hour', 'Australia/Lord_Howe', '2026-09-20T00:00:00Z', '2026-10-20T00:00:00Z', 4],
])(
  'a month with a change of the clocks: exactly the runs that were missed are told (%s, %s)',
  async (_, tz, first, last, seed) => {
    await using rig = createRig()
    const [from, to] = [new Date(first), new Date(last)]
    makeDirectory(rig.home.logs)
    for (const { name, expression } of schedulesIn(tz)) {
      const schedule = { expression, tz, grace_ms: GRACE_MS }
      const time = toLocalIso(from, 'milliseconds')
      appendEvent(rig.home, { type: 'schedule.set', id: name, time, job: name, schedule, source: 'import' })
    }
    const { runs, missed } = simulate(tz, from, to, seeded(seed))
    await replay(rig.home, runs, from, to, seeded(seed + 100))
    const told = new Map(CRONTAB.map(({ name }): [string, string[]] => [name, []]))
    for (const event of rig.events()) {
      if (event.type !== 'run.missed') continue
      expect(event.count).toBe(event.due.length)
      told.get(event.job)?.push(...event.due.map((time) => new Date(time).toISOString()))
    }
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(missed))
    expect([...missed.values()].flat().length).toBeGreaterThan(20)
    const open = getAlerts({ home: rig.home.base, env: {} }).map(({ job_id }) => job_id)
    const lastMissed = [...missed].filter(([job, times]) => {
      const lastRun = runs.filter((run) => run.job === job).at(-1)?.started ?? ''
      return new Date(times.at(-1) ?? 0) > new Date(lastRun)
    })
    expect(open.sort()).toEqual(lastMissed.map(([job]) => job).sort())
  },
)

/** cron as it should run, and what befalls it: it is down for a while, single starts fail, some come late, some take long. */
function simulate(tz: string, from: Date, to: Date, random: () => number): Simulated {
  const outages = Array.from({ length: 4 }, () => {
    const startMs = from.getTime() + random() * (to.getTime() - from.getTime())
    return { startMs, endMs: startMs + random() * 6 * 60 * MINUTE_MS }
  })
  const runs: RunFinished[] = []
  const missed = new Map<string, string[]>()
  for (const job of CRONTAB) {
    const times: string[] = []
    let busyUntilMs = 0
    for (const due of cronStarts(job, tz, new Date(from.getTime() + MINUTE_MS), to)) {
      const dueMs = due.getTime()
      // The last pass comes at the end: what is not over by then is not told.
      const isDecided = dueMs + GRACE_MS <= to.getTime()
      if (busyUntilMs >= dueMs) continue
      const isDown = outages.some(({ startMs, endMs }) => dueMs >= startMs && dueMs < endMs)
      if (isDown || random() < 0.02) {
        if (isDecided) times.push(due.toISOString())
        continue
      }
      const lateMs = random() < 0.05 ? GRACE_MS + MINUTE_MS + random() * 5 * MINUTE_MS : random() * 8 * MINUTE_MS
      if (lateMs > GRACE_MS && isDecided) times.push(due.toISOString())
      const durationMs = Math.round(random() < 0.02 ? 100 * MINUTE_MS : random() * MINUTE_MS)
      const startedMs = dueMs + Math.round(lateMs)
      if (startedMs + durationMs > to.getTime()) break
      busyUntilMs = startedMs + durationMs
      runs.push(runFinished(job.name, runs.length, { startedMs, durationMs }))
    }
    missed.set(job.name, times)
  }
  return { runs: runs.sort((a, b) => Date.parse(a.time) - Date.parse(b.time)), missed }
}

/** Records the runs as they end, and looks every so often, as cron and people would. */
async function replay(
  home: Home,
  runs: readonly RunFinished[],
  from: Date,
  to: Date,
  random: () => number,
): Promise<void> {
  let next = 0
  for (let nowMs = from.getTime(); nowMs < to.getTime();) {
    nowMs = Math.min(to.getTime(), nowMs + (random() < 0.1 ? 12 * 60 : 1 + random() * 400) * MINUTE_MS)
    for (; Date.parse(runs[next]?.time ?? '9999') <= nowMs; next++) appendEvent(home, runs[next] as RunFinished)
    const going = runs.slice(next).filter(({ started }) => Date.parse(started) <= nowMs)
    const spools = going.map((run) => beginRun(home, run.job, Date.parse(run.started)))
    await check(home, new Date(nowMs))
    for (const spool of spools) spool.remove()
  }
}
