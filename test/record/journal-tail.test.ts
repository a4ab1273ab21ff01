import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { makeDirectory } from '../../src/platform/make-directory.ts'
import { appendEvent, rotateJournal } from '../../src/record/journal.ts'
import { readRunsBackTo } from '../../src/record/journal-tail.ts'
import { readAllRuns, readSummary } from '../../src/record/read-records.ts'
import { serializeEvent } from '../../src/record/event.ts'
import { runFinished } from '../support/events.ts'
import { createRig, type Rig } from '../support/rig.ts'

const MINUTE_MS = 60_000
const START_MS = Date.parse('2026-11-24T00:00:00Z')

/** A run each minute, whose lines are of different lengths; appended at once, as a journal of years has them. */
function write(rig: Rig, from: number, to: number): void {
  makeDirectory(rig.home.logs)
  appendEvent(rig.home, runFinished('job', from, { startedMs: START_MS + from * MINUTE_MS }))
  const lines = Array.from({ length: to - from - 1 }, (_, index) => {
    const number = from + 1 + index
    const run = runFinished('job', number, { startedMs: START_MS + number * MINUTE_MS })
    return serializeEvent({ ...run, command: ['x'.repeat((number * 37) % 400)] })
  })
  fs.appendFileSync(rig.home.journal, Buffer.concat(lines))
}

const numbersOf = (runs: readonly { run_id: string }[]): number[] =>
  runs.map(({ run_id }) => Number(run_id.slice('job-'.length))).sort((a, b) => a - b)

test('the runs back to a time are read, and little of what lies before', async () => {
  await using rig = createRig()
  write(rig, 0, 4000)
  rotateJournal(rig.home, readSummary(rig.home), 1)
  write(rig, 4000, 6000)
  fs.appendFileSync(rig.home.journal, '{"type":"run.finished","id":"torn')
  const all = numbersOf(readAllRuns(rig.home))
  expect(all).toHaveLength(6000)
  for (const minute of [5999, 5500, 4001, 3999, 2000]) {
    const { runs, reachesBack } = readRunsBackTo(rig.home, START_MS + minute * MINUTE_MS)
    const numbers = numbersOf(runs)
    expect(reachesBack).toBe(true)
    expect(numbers).toEqual(all.slice(-numbers.length))
    expect(numbers[0]).toBeLessThanOrEqual(minute)
    expect(numbers[0]).toBeGreaterThan(minute - 2000)
  }
  const whole = readRunsBackTo(rig.home, START_MS)
  expect([whole.reachesBack, numbersOf(whole.runs)]).toEqual([false, all])
})
