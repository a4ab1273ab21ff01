import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { check } from '../../src/check/check.ts'
import { toLocalIso } from '../../src/platform/clock.ts'
import { readSummary } from '../../src/record/read-records.ts'
import { appendEvent } from '../../src/record/journal.ts'
import { beginRun } from '../support/begin-run.ts'
import { runFinished } from '../support/events.ts'
import { createRig } from '../support/rig.ts'

const MINUTE_MS = 60_000
const START_MS = Date.parse('2026-11-24T00:00:00Z')

test('what is gone from cronwrap.json does not come back with the end of a first run that went on', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { jobs: { job: { schedule: '@daily' } } })
  await check(rig.home, new Date(START_MS))
  const ended = runFinished('job', 1, { startedMs: START_MS + MINUTE_MS, durationMs: 3 * MINUTE_MS })
  const spool = beginRun(rig.home, 'job', START_MS + MINUTE_MS)
  fs.outputJsonSync(rig.home.config, { jobs: {} })
  await check(rig.home, new Date(START_MS + 2 * MINUTE_MS))
  appendEvent(rig.home, { ...ended, schedule: { expression: '@daily', tz: null, grace_ms: 600_000 } })
  spool.remove()
  await check(rig.home, new Date(START_MS + 5 * MINUTE_MS))
  expect(readSummary(rig.home).get('job')).toMatchObject({
    total_runs: 1,
    schedule: null,
    last_schedule_set: toLocalIso(new Date(START_MS + 2 * MINUTE_MS), 'milliseconds'),
  })
})
