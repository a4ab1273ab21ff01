import type { Home } from '../config/base-directory.ts'
import { readConfigFile, type ConfigFile } from '../config/config-file.ts'
import { optionsInFile } from '../config/resolve-run-options.ts'
import { scheduleOf } from '../job/run-event.ts'
import { isObject } from '../platform/field.ts'
import { isSameTimes, type JobSchedule } from '../record/event.ts'
import { publishAll } from '../record/publish.ts'
import { readSummary } from '../record/read-records.ts'
import { EMPTY_ENTRY } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import { scheduleEvents, type ScheduleChange } from '../schedule/record-schedule.ts'

interface ConfigSchedules {
  readonly changes: readonly ScheduleChange[]
  /** What is wrong in the file; one line each. */
  readonly warnings: readonly string[]
}

/**
 * Takes up what cronwrap.json says of when its jobs are due: a job that was never run can be missed
 * too. What the runs say is not overruled by what stood in the file before.
 * @returns what is wrong in the file, one line each
 * @throws when it cannot be recorded
 */
export async function takeUpConfigSchedules(home: Home, now: Date): Promise<readonly string[]> {
  const { changes, warnings } = findConfigSchedules(home, readSummary(home))
  if (changes.length > 0) await publishAll(home, scheduleEvents(home, changes, IN_CONFIG, now), { now: () => now })
  return warnings
}

const IN_CONFIG = { source: 'config', file: null } as const

function findConfigSchedules(home: Home, summary: Summary): ConfigSchedules {
  const warnings: string[] = []
  const file = readConfigFile(home.config, warnings)
  warnings.push(...optionsInFile(file, null).warnings)
  const said = new Map<string, JobSchedule | null>()
  for (const [job, settings] of file.jobs) {
    const inFile = optionsInFile(file, job)
    warnings.push(...inFile.warnings)
    if (settings.has('schedule')) said.set(job, scheduleOf(inFile.options))
  }
  const forgotten = [...summary]
    .filter(([job, entry]) => entry.schedule_in_config !== null && isGoneFrom(file, job))
    .map(([job]) => job)
  const changes = [...new Set([...said.keys(), ...forgotten])].flatMap((job): ScheduleChange[] => {
    const schedule = said.get(job) ?? null
    // What cannot be read there changes nothing.
    if (schedule === null && !forgotten.includes(job)) return []
    const known = summary.get(job) ?? EMPTY_ENTRY
    const isLost = schedule !== null && known.schedule === null
    return isEqual(schedule, known.schedule_in_config) && !isLost ? [] : [{ job, schedule }]
  })
  return { changes, warnings: [...new Set(warnings)] }
}

/** Not so where the file, or what it says of the job, cannot be read. */
function isGoneFrom({ root, isUsable }: ConfigFile, job: string): boolean {
  const jobs = root['jobs'] ?? {}
  if (!isUsable || !isObject(jobs)) return false
  const settings = jobs[job] ?? {}
  return isObject(settings) && settings['schedule'] === undefined
}

function isEqual(a: JobSchedule | null, b: JobSchedule | null): boolean {
  if (a === null || b === null) return a === b
  return isSameTimes(a, b) && a.grace_ms === b.grace_ms
}
