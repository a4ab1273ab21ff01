import * as fs from 'node:fs'
import { join } from 'node:path'
import { resolveHome } from '../config/base-directory.ts'
import { CronwrapError } from '../errors.ts'
import { replaceFile } from '../platform/atomic-file.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { readState, updateState, type StateOptions } from './state-store.ts'
import { serializeState, type State } from './state-value.ts'
import { mayWrite } from './write-permission.ts'

const DATE = /^\d{4}-\d{2}-\d{2}$/
const DAY_MS = 24 * 60 * 60_000

export interface DailyOptions extends StateOptions {
  /** Whose midnight begins the day, e.g. `Asia/Shanghai`; the system's when missing. */
  readonly timeZone?: string
  /** How long older days are kept under `state/archive/`; 30 when missing. */
  readonly keepDays?: number
  readonly now?: Date
}

/**
 * Reads a state that begins anew each day: when its `date` is not today's, it becomes `initial` with today's date, and
 * the old one is kept as `state/archive/{name}.{date}.json`. Inside a wrapped job, which only reads, the
 * new day is seen and not written.
 * @throws as `updateState`; CronwrapError `BAD_VALUE` for a time zone that does not exist
 */
export async function loadDailyState(name: string, initial: State, options: DailyOptions = {}): Promise<State> {
  const now = options.now ?? new Date()
  const today = dateIn(options.timeZone, now)
  const fresh = { ...initial, date: today }
  const current = await readState(name, options)
  if (current?.['date'] === today) return current
  if (!mayWrite(options.env ?? process.env)) return fresh
  let result: State = fresh
  await updateState(
    name,
    (value) => {
      // Another process may have begun the day.
      if (value?.['date'] === today) {
        result = value
        return undefined
      }
      if (value !== null) archive(name, value, options, now)
      return fresh
    },
    options,
  )
  return result
}

/**
 * The date in a time zone, as `2026-05-26`.
 * @throws CronwrapError `BAD_VALUE`
 */
export function dateIn(timeZone: string | undefined, now: Date): string {
  try {
    return new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(now)
  } catch (error) {
    throw new CronwrapError('BAD_VALUE', `"${timeZone}" is not a time zone`, {
      hint: 'write it as Asia/Shanghai',
      cause: error,
    })
  }
}

function archive(name: string, value: State, options: DailyOptions, now: Date): void {
  const directory = join(resolveHome(options.home, options.env ?? process.env).state, 'archive')
  const date = typeof value['date'] === 'string' && DATE.test(value['date']) ? value['date'] : 'undated'
  makeDirectory(directory)
  replaceFile(join(directory, `${name}.${date}.json`), serializeState(value))
  const oldest = dateIn(options.timeZone, new Date(now.getTime() - (options.keepDays ?? 30) * DAY_MS))
  for (const file of fs.readdirSync(directory)) {
    const day =
      file.startsWith(`${name}.`) && file.endsWith('.json') ? file.slice(name.length + 1, -'.json'.length) : ''
    if (DATE.test(day) && day < oldest) fs.rmSync(join(directory, file), { force: true })
  }
}
