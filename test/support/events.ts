import { toLocalIso } from '../../src/platform/clock.ts'
import type { RunFinished } from '../../src/record/event.ts'

/** A run that ended, for tests that write the journal themselves. */
export function runFinished(
  job: string,
  number: number,
  { startedMs, durationMs = 1000, failed = false }: { startedMs: number; durationMs?: number; failed?: boolean },
): RunFinished {
  return {
    type: 'run.finished',
    id: `${job}-${number}`,
    run_id: `${job}-${number}`,
    time: toLocalIso(new Date(startedMs + durationMs), 'milliseconds'),
    started: toLocalIso(new Date(startedMs), 'milliseconds'),
    job,
    duration_ms: durationMs,
    status: failed ? 'error' : 'success',
    reason: 'exit',
    exit_code: failed ? 1 : 0,
    signal: null,
    attempts: 1,
    command: ['true'],
    stdout_bytes: 0,
    stderr_bytes: 0,
    last_error: failed ? 'boom' : null,
    output_held: false,
    alert_after: 3,
    expects_delivery: null,
    delivery_grace_ms: 600_000,
    host: 'test',
  }
}
