import type { Home } from '../../src/config/base-directory.ts'
import { toLocalIso } from '../../src/platform/clock.ts'
import { makeDirectory } from '../../src/platform/make-directory.ts'
import { newRunId } from '../../src/platform/run-id.ts'
import { Spool } from '../../src/record/spool.ts'
import { runFinished } from './events.ts'

/** A run in progress whose wrapper is this process. */
export function beginRun(home: Home, job: string, startedMs: number, slowAfterMs: number = 0): Spool {
  makeDirectory(home.logs)
  return Spool.create(home, {
    ...runFinished(job, 0, { startedMs }),
    run_id: newRunId(),
    started: toLocalIso(new Date(startedMs), 'milliseconds'),
    max_output: 0,
    redact: [],
    no_redact: false,
    schedule: null,
    slow_after_ms: slowAfterMs,
  })
}
