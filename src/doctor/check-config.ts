import * as fs from 'node:fs'
import { dirname } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { readConfigFile } from '../config/config-file.ts'
import { optionsInFile, resolveRunOptions } from '../config/resolve-run-options.ts'
import { messageOf } from '../errors.ts'
import { scheduleOf } from '../job/run-event.ts'
import { readTimetable } from '../schedule/timetable.ts'
import { readMetricsConfig } from '../metrics/metrics-config.ts'
import { readNotifyConfig } from '../notify/notify-config.ts'
import type { Finding } from './finding.ts'

/** What each run would warn of: a setting that is misspelt or cannot be used, in cronwrap.json or the environment. */
export function checkConfig(home: Home, jobs: readonly string[], env: NodeJS.ProcessEnv): Finding[] {
  const inFile = [...readConfigFile(home.config, []).jobs.keys()]
  const names = jobs.length + inFile.length === 0 ? ['job'] : new Set([...jobs, ...inFile])
  const warnings = [...names].flatMap((job) => resolveRunOptions(new Map([['job', job]]), [], env, home).warnings)
  const { out, problems } = readMetricsConfig(home)
  const unusable = readNotifyConfig(home.config).problems
  return [
    ...[...new Set(warnings)].map((seen) =>
      finding(home, seen, 'each run warns of it, and the default counts instead'),
    ),
    ...unusable.map((seen) => finding(home, seen, 'notifications go without it')),
    ...[...problems, ...unwritable(out)].map((seen) => finding(home, seen, 'nothing is told to Prometheus')),
    ...unusableSchedules(home).map((seen) => finding(home, seen, 'nobody notices when it is missed')),
  ]
}

function unwritable(out: string | null): string[] {
  try {
    if (out !== null) fs.accessSync(dirname(out), fs.constants.W_OK)
    return []
  } catch (error) {
    return [`the metrics cannot be written to ${out}: ${messageOf(error)}`]
  }
}

function unusableSchedules(home: Home): string[] {
  const file = readConfigFile(home.config, [])
  return [...file.jobs.keys()].flatMap((job) => {
    const schedule = scheduleOf(optionsInFile(file, job).options)
    try {
      if (schedule !== null) readTimetable(schedule)
      return []
    } catch (error) {
      return [`jobs.${job}: ${messageOf(error)}`]
    }
  })
}

function finding(home: Home, seen: string, means: string): Finding {
  return { id: 'config-invalid', severity: 'warning', job: null, seen, means, next: `mend ${home.config}` }
}
