import type { Home } from '../config/base-directory.ts'
import { readConfigFile } from '../config/config-file.ts'
import { resolveRunOptions } from '../config/resolve-run-options.ts'
import { scheduleOf } from '../job/run-event.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import type { JobSchedule, ScheduleSet } from '../record/event.ts'
import { EMPTY_ENTRY } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'

export interface ConfigSchedules {
  readonly events: readonly ScheduleSet[]
  readonly warnings: readonly string[]
}

/**
 * What cronwrap.json says of when its jobs are due, where that is news: a job that was never run
 * can be missed too. What the runs say is not overruled by what stood in the file before.
 */
export function findConfigSchedules(home: Home, summary: Summary, now: Date): ConfigSchedules {
  const warnings: string[] = []
  const file = readConfigFile(home.config, warnings)
  const named = [...file.jobs].filter(([, settings]) => settings.has('schedule')).map(([job]) => job)
  const forgotten = [...summary].filter(([, entry]) => entry.schedule_in_config !== null).map(([job]) => job)
  const events = [...new Set([...named, ...forgotten])].flatMap((job): ScheduleSet[] => {
    const said = named.includes(job) ? scheduleInConfig(home, job) : null
    const known = (summary.get(job) ?? EMPTY_ENTRY).schedule_in_config
    if (isEqual(said, known)) return []
    const time = toLocalIso(now, 'milliseconds')
    return [{ type: 'schedule.set', id: newRunId(), time, job, schedule: said, source: 'config' }]
  })
  return { events, warnings }
}

function scheduleInConfig(home: Home, job: string): JobSchedule | null {
  return scheduleOf(resolveRunOptions(new Map([['job', job]]), [], {}, home).options)
}

function isEqual(a: JobSchedule | null, b: JobSchedule | null): boolean {
  return a?.expression === b?.expression && a?.tz === b?.tz && a?.grace_ms === b?.grace_ms
}
