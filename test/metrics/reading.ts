import { spawnSync } from 'node:child_process'

/** Debian's prometheus and python3-prometheus-client; the latter is there for the system's Python only. */
export const PYTHON = '/usr/bin/python3'
export const hasPromtool: boolean = spawnSync('promtool', ['--version']).status === 0
export const hasParser: boolean = spawnSync(PYTHON, ['-c', 'import prometheus_client.openmetrics.parser']).status === 0

/** `runs_total backup`, `deliveries_total backup sent` and so on, to their values. */
export function readSamples(text: string): Record<string, number> {
  const samples = [...text.matchAll(/^cronwrap_job_(\w+)\{job="([^"]*)",host="[^"]*"(?:,\w+="(\w+)")?\} (\S+)$/gm)]
  return Object.fromEntries(
    samples.map(([, name, job, more, value]) => [`${name} ${job}${more ? ` ${more}` : ''}`, Number(value)]),
  )
}
