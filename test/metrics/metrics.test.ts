import { describe, expect, test } from 'vitest'
import { formatMetrics } from '../../src/metrics/format-metrics.ts'
import { collectMetrics, type Family, type Records } from '../../src/metrics/metrics.ts'
import { deriveAlerts } from '../../src/record/alerts.ts'
import type { RunManifest } from '../../src/record/spool.ts'
import { EMPTY_ENTRY, type SummaryEntry } from '../../src/record/summary-entry.ts'
import { createRig, finished } from '../support/rig.ts'
import { hasParser, hasPromtool, PYTHON, readSamples } from './reading.ts'

const ORIGIN = { host: 'nas', version: '1.2.3', home: '/srv/cronwrap' }
const NOW = new Date('2026-01-01T12:00:00Z')
const NOTHING: Records = { summary: new Map(), running: [], alerts: [] }
const SCRIPTS = [
  'backup',
  '喝水提醒',
  'заметки',
  'ملاحظات',
  'दैनिक-कार्य',
  'e\u0301te\u0301.2',
  '__proto__',
  'constructor',
  '-',
]

const manifest = (job: string, run_id: string, started: string): RunManifest =>
  ({ job, run_id, started }) as unknown as RunManifest

function collect(jobs: Record<string, Partial<SummaryEntry>>, running: readonly RunManifest[] = []): Family[] {
  const summary = new Map(Object.entries(jobs).map(([job, entry]) => [job, { ...EMPTY_ENTRY, ...entry }]))
  return collectMetrics({ summary, running, alerts: deriveAlerts(summary, NOW) }, ORIGIN)
}

const valuesOf = (families: readonly Family[]): Record<string, number> => readSamples(formatMetrics(families))

describe('what is measured', () => {
  test('all that is known of a job, in base units', () => {
    const values = valuesOf(
      collect(
        {
          backup: {
            last_run: '2026-01-01T10:00:00+00:00',
            last_finished: '2026-01-01T12:00:10+02:00',
            last_success: '2025-12-31T00:00:00+00:00',
            last_status: 'error',
            last_exit_code: 143,
            last_duration_ms: 9812,
            last_cpu_ms: 1230,
            last_max_memory_bytes: 4_096_000,
            consecutive_errors: 4,
            total_runs: 70,
            total_errors: 8,
            skipped_runs: 5,
            missed_runs: 6,
            consecutive_missed: 2,
            last_missed: '2026-01-01T11:00:00+00:00',
            deliveries_sent: 30,
            deliveries_failed: 3,
            awaiting_delivery_since: '2026-01-01T10:00:00+00:00',
            acknowledged: [{ kind: 'missed', since: '2026-01-01T11:00:00+00:00' }],
            notifications: [{}, {}] as unknown as SummaryEntry['notifications'],
          },
        },
        [manifest('backup', 'b', '2026-01-01T11:59:01.250Z'), manifest('backup', 'a', '2026-01-01T11:59:00.500Z')],
      ),
    )
    expect(values).toEqual({
      'last_run_timestamp_seconds backup': Date.UTC(2026, 0, 1, 10) / 1000,
      'last_finish_timestamp_seconds backup': Date.UTC(2026, 0, 1, 10, 0, 10) / 1000,
      'last_success_timestamp_seconds backup': Date.UTC(2025, 11, 31) / 1000,
      'last_status backup': 0,
      'last_exit_code backup': 143,
      'last_duration_seconds backup': 9.812,
      'last_cpu_seconds backup': 1.23,
      'last_max_memory_bytes backup': 4_096_000,
      'running backup': 2,
      'running_since_timestamp_seconds backup': Date.UTC(2026, 0, 1, 11, 59) / 1000 + 0.5,
      'consecutive_successes backup': 0,
      'consecutive_errors backup': 4,
      'consecutive_missed backup': 2,
      'runs_total backup': 70,
      'errors_total backup': 8,
      'skipped_total backup': 5,
      'missed_total backup': 6,
      'deliveries_total backup sent': 30,
      'deliveries_total backup failed': 3,
      'delivery_awaited backup': 1,
      'notifications_pending backup': 2,
      'alerts_open backup consecutive_failures': 1,
      'alerts_open backup missed': 1,
      'alerts_open backup delivery_failed': 0,
      'alerts_open backup undelivered': 1,
      'alerts_open backup slow': 0,
      'alerts_open backup notification_failed': 0,
      'alerts_acknowledged backup consecutive_failures': 0,
      'alerts_acknowledged backup missed': 1,
      'alerts_acknowledged backup delivery_failed': 0,
      'alerts_acknowledged backup undelivered': 0,
      'alerts_acknowledged backup slow': 0,
      'alerts_acknowledged backup notification_failed': 0,
    })
  })

  test('what is not known is left out, and a job in its first run is counted', () => {
    const values = valuesOf(collect({}, [manifest('first', 'a', '2026-01-01T11:59:00Z')]))
    expect(Object.keys(values).filter((key) => key.startsWith('last_'))).toEqual([])
    expect(values).toMatchObject({ 'running first': 1, 'runs_total first': 0 })
    expect(valuesOf(collect({ idle: {} }))).toMatchObject({ 'running idle': 0 })
    expect(valuesOf(collect({ idle: {} }))).not.toHaveProperty('running_since_timestamp_seconds idle')
  })

  test('a run that is on record is not in progress, though its marker is still there', () => {
    const recent_runs = [{ run_id: 'ended', duration_ms: 5 }]
    const runs = [manifest('job', 'ended', '2026-01-01T10:00:00Z'), manifest('job', 'going', '2026-01-01T11:00:00Z')]
    const values = valuesOf(collect({ job: { recent_runs } }, runs))
    expect(values).toMatchObject({
      'running job': 1,
      'running_since_timestamp_seconds job': Date.UTC(2026, 0, 1, 11) / 1000,
    })
  })

  test('names, help and labels keep the rules of both formats', () => {
    for (const { name, type, help, samples } of collect({ job: { last_exit_code: 0 } })) {
      expect(name).toMatch(/^cronwrap_[a-z]+(_[a-z]+)*$/)
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      expect(help).toMatch(/^[^"\\\n]+\.$/)
      for (const { labels } of samples) {
        for (const label of Object.keys(labels))
          expect(['job', 'host', 'kind', 'status', 'version', 'home']).toContain(label)
      }
    }
  })
})

describe('the text', () => {
  test('a counter has no TYPE, a family without samples is left out, and the end is marked', () => {
    const sample = { labels: { job: 'a', host: 'h\\1\n"x"' }, value: 0.036 }
    const families: Family[] = [
      { name: 'runs_total', type: 'counter', help: 'Runs.', samples: [sample] },
      { name: 'unknown', type: 'gauge', help: 'Nothing.', samples: [] },
      { name: 'since_seconds', type: 'gauge', help: 'Since.', samples: [sample, { ...sample, value: 1_764_000_000 }] },
    ]
    expect(formatMetrics(families)).toBe(
      [
        '# HELP runs_total Runs.',
        String.raw`runs_total{job="a",host="h\\1\n\"x\""} 0.036`,
        '# HELP since_seconds Since.',
        '# TYPE since_seconds gauge',
        String.raw`since_seconds{job="a",host="h\\1\n\"x\""} 0.036`,
        String.raw`since_seconds{job="a",host="h\\1\n\"x\""} 1764000000`,
        '# EOF\n',
      ].join('\n'),
    )
    expect(formatMetrics(collectMetrics(NOTHING, ORIGIN))).toMatch(/^cronwrap_info\{[^}]*\} 1\n# EOF\n$/m)
  })

  const hostile = collectMetrics(
    {
      summary: new Map(
        SCRIPTS.map((job, index) => [
          job,
          { ...EMPTY_ENTRY, total_runs: index * 1e15, last_duration_ms: 1, last_run: NOW.toISOString() },
        ]),
      ),
      running: SCRIPTS.map((job) => manifest(job, 'a', NOW.toISOString())),
      alerts: [],
    },
    { host: 'h\\1\n"x" \\n', version: '1', home: '/srv/"喝水"\\' },
  )

  test.skipIf(!hasPromtool)('promtool takes it, and finds nothing to improve', async () => {
    await using rig = createRig()
    const result = await rig.spawn('promtool', ['check', 'metrics'], { stdin: 'pipe', input: formatMetrics(hostile) })
    expect(finished(result)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  test.skipIf(!hasParser)("OpenMetrics' own parser reads from it what was written", async () => {
    await using rig = createRig()
    const script = `import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
text = sys.stdin.buffer.read().decode()
print(json.dumps([[f.name, f.documentation, [[s.labels, s.value] for s in f.samples if s.name == f.name]]
                  for f in text_string_to_metric_families(text)]))`
    const result = await rig.spawn(PYTHON, ['-c', script], { stdin: 'pipe', input: formatMetrics(hostile) })
    expect(finished(result)).toMatchObject({ code: 0, stderr: '' })
    const expected = hostile.filter(({ samples }) => samples.length > 0)
    expect(JSON.parse(finished(result).stdoutBytes.toString())).toEqual(
      expected.map(({ name, help, samples }) => [name, help, samples.map(({ labels, value }) => [labels, value])]),
    )
  })
})
