import fs from 'fs-extra'
import type { Rig } from '../support/rig.ts'

/** An `openclaw` that answers from files, as the real one of 2026.9.6 does; it notes what it was asked. */
const SCRIPT = `#!/bin/sh
printf '%s\\n' "$*" >> "$HOME/openclaw-calls"
if [ -e "$HOME/gateway-down" ] && [ "$1" = cron ]; then
  echo '{"ok":false,"error":{"type":"cli_error","message":"Gateway not reachable at ws://127.0.0.1:18999 (ECONNREFUSED)"}}'
  exit 1
fi
case "$1 $2" in
  "cron list") cat "$HOME/jobs.json" ;;
  "cron runs") cat "$HOME/runs-$3.json" 2>/dev/null || echo '{"entries":[]}' ;;
  "tasks list") cat "$HOME/tasks.json" 2>/dev/null || echo '{"tasks":[]}' ;;
  "cron add") echo '{"id":"new-job","name":"added"}' ;;
  *) echo "unknown command: $*" >&2; exit 1 ;;
esac
`

export interface StandIn {
  readonly setJobs: (jobs: readonly object[]) => void
  readonly setRuns: (jobId: string, runs: readonly object[]) => void
  readonly stopGateway: (runs: readonly object[]) => void
  readonly calls: () => string[]
}

/** Puts the stand-in, and the built program as \`cronwrap\`, on the rig's PATH. */
export function standIn(rig: Rig, bin: string): StandIn {
  rig.write('bin/openclaw', SCRIPT)
  rig.write('bin/cronwrap', `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`)
  rig.env['PATH'] = `${rig.path('bin')}:${process.env['PATH']}`
  const write = (name: string, value: unknown): void => fs.writeJsonSync(rig.path(name), value)
  write('jobs.json', { jobs: [] })
  return {
    setJobs: (jobs) => write('jobs.json', { jobs, total: jobs.length }),
    setRuns: (jobId, entries) => write(`runs-${jobId}.json`, { entries, total: entries.length }),
    stopGateway: (runs) => {
      write('gateway-down', true)
      write('tasks.json', { tasks: runs.map((detail) => ({ runtime: 'cron', detail })) })
    },
    calls: () => fs.readFileSync(rig.path('openclaw-calls'), 'utf8').trim().split('\n'),
  }
}

/** A healthy command job of 2026.9.6 that records as its name. */
export function commandJob(name: string, changes: object = {}): Record<string, unknown> {
  return {
    id: `id-${name}`,
    name,
    enabled: true,
    schedule: { kind: 'cron', expr: '0 7 * * *', tz: 'UTC' },
    payload: {
      kind: 'command',
      argv: ['/opt/cronwrap', '--timeout', '890s', '--kill-after', '5s', '--', '/bin/true'],
      env: { CRONWRAP_JOB: name },
      timeoutSeconds: 900,
    },
    delivery: { mode: 'announce', channel: 'telegram', to: '-1001' },
    state: {},
    ...changes,
  }
}

/** One finished run that began at `startedMs`. */
export function finishedRun(job: string, startedMs: number, changes: object = {}): Record<string, unknown> {
  return {
    ts: startedMs + 1_000,
    jobId: `id-${job}`,
    jobName: job,
    action: 'finished',
    status: 'ok',
    completionStatus: 'succeeded',
    runId: `manual:id-${job}:${startedMs}`,
    runAtMs: startedMs,
    durationMs: 1_000,
    deliveryStatus: 'delivered',
    delivery: { intended: { channel: 'telegram', to: '-1001', source: 'explicit' } },
    unknownField: { later: true },
    ...changes,
  }
}
