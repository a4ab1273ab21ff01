import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { isId } from '../config/job-id.ts'
import { readBounded, replaceFile } from '../platform/atomic-file.ts'
import { toLocalIso } from '../platform/clock.ts'
import { isObject, isTime } from '../platform/field.ts'

const MAX_BYTES = 16 * 1024 * 1024

/** Of each job, up to which of its due times a pass has decided whether they were missed; in milliseconds. */
export type LookMarks = ReadonlyMap<string, number>

/**
 * What `logs/.checked` says. It saves work: without it the next pass decides once more, by what the journal still
 * holds; a run that was lost then ends with its last sign of life, and a grace that was changed is that of now. What lies after now says nothing: the clock was set back.
 */
export function readLookMarks(home: Home, now: Date): LookMarks {
  try {
    const value: unknown = JSON.parse(readBounded(markPath(home), MAX_BYTES)?.toString('utf8') ?? '{}')
    const marks = Object.entries(isObject(value) ? value : {}).flatMap(([job, time]) =>
      isId(job) && isTime(time) ? [[job, Date.parse(time)] as const] : [],
    )
    return new Map(marks.filter(([, markMs]) => markMs <= now.getTime()))
  } catch {
    return new Map()
  }
}

export function writeLookMarks(home: Home, marks: LookMarks): void {
  const entries = [...marks].map(([job, markMs]) => [job, toLocalIso(new Date(markMs), 'milliseconds')])
  try {
    replaceFile(markPath(home), `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`)
  } catch {
    // Then the next pass has more to decide.
  }
}

function markPath(home: Home): string {
  return join(home.logs, '.checked')
}
