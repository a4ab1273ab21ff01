import * as fs from 'node:fs'
import { check } from '../../check/check.ts'
import { readMetrics, writeMetrics } from '../../metrics/write-metrics.ts'
import { type Command } from '../command.ts'

export const metricsCommand: Command = {
  name: 'metrics',
  usage: '',
  description: 'Print metrics of all jobs for Prometheus, as OpenMetrics text',
  flags: new Map([
    [
      'out',
      {
        takesValue: true,
        placeholder: '<file>',
        description: 'Replace this file by them and print nothing: for the textfile collector of node_exporter',
      },
    ],
  ]),
  examples: ['cronwrap metrics', 'cronwrap metrics --out /var/lib/prometheus/node-exporter/cronwrap.prom'],
  positionals: [0, 0],
  async run({ home, flags, now }) {
    // What was missed and what is slow is on record once somebody has looked.
    if (fs.existsSync(home.logs)) await check(home, now)
    const out = flags.get('out')
    if (out === undefined) process.stdout.write(readMetrics(home, now))
    else writeMetrics(home, out, now)
    return 0
  },
}
