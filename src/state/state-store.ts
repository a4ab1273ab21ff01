import { join } from 'node:path'
import { resolveHome, type Home } from '../config/base-directory.ts'
import { isId, parseId } from '../config/job-id.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { sleep } from '../platform/clock.ts'
import { withFileLock } from '../platform/file-lock.ts'
import { listDirectory } from '../platform/list-directory.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { noteProblem } from '../record/own-log.ts'
import { follow, look, readVisible, tidy, type Seen, type StatePlace } from './generation.ts'
import { parseState, serializeState, type State } from './state-value.ts'
import { requireWriter } from './write-permission.ts'

/** A file that does not parse is read again this often: somebody may be writing it who does not rename. */
const READS = 3
const READ_AGAIN_MS = 50

export interface StateOptions {
  /** The base directory; found as the command line does it when missing. */
  readonly home?: string
  readonly env?: NodeJS.ProcessEnv
  /** Throw what goes wrong instead of degrading to null or false. */
  readonly strict?: boolean
  /** Checks a new value before it is written; throws what is wrong with it. */
  readonly validate?: (value: State) => void | Promise<void>
}

/**
 * Reads a shared state. Takes no lock, sees the old or the new value, never half of one.
 * @returns null when there is none; also, unless `strict`, when it cannot be read, with a line in `logs/cronwrap.log`
 * @throws CronwrapError `BAD_ID`; with `strict` also `CANNOT_READ`
 */
export async function readState(name: string, options: StateOptions = {}): Promise<State | null> {
  const { home, place } = locate(name, options)
  for (let attempt = 1; ; attempt++) {
    try {
      const content = readVisible(place)
      return content === null ? null : parseState(content)
    } catch (error) {
      if (attempt < READS) {
        await sleep(READ_AGAIN_MS)
        continue
      }
      const problem = `state ${name} cannot be read: ${messageOf(error)}`
      if (options.strict) throw new CronwrapError('CANNOT_READ', problem, { cause: error })
      noteProblem(home, problem)
      return null
    }
  }
}

/**
 * Replaces a shared state whatever it was.
 * @returns false, unless `strict`, when it could not be written, with a line in `logs/cronwrap.log`
 * @throws as `updateState`
 */
export async function writeState(name: string, value: State, options: StateOptions = {}): Promise<boolean> {
  return change(name, options, () => Promise.resolve(value))
}

/**
 * Changes a shared state: `fn` gets the present value, null when there is none, and returns the new one. It may be
 * called again with a newer value if another writer was first. `undefined` leaves the state alone.
 * @returns false, unless `strict`, when it could not be written, with a line in `logs/cronwrap.log`
 * @throws what `fn` or `validate` throws, with the state left alone; CronwrapError `BAD_ID`; `NOT_ALLOWED` inside a
 *   wrapped job; `BAD_VALUE` for what is no JSON object; with `strict` also `CANNOT_RECORD`
 */
export async function updateState(
  name: string,
  fn: (value: State | null) => State | undefined | Promise<State | undefined>,
  options: StateOptions = {},
): Promise<boolean> {
  return change(name, options, async (seen) => fn(seen.content === null ? null : parseState(seen.content)))
}

/**
 * Removes a shared state. Removing one that does not exist is no error.
 * @throws as `updateState`
 */
export async function deleteState(name: string, options: StateOptions = {}): Promise<boolean> {
  return change(name, options, (seen) => Promise.resolve(seen.content === null ? undefined : null))
}

/** The names of all shared states, in order. */
export function listStates(options: Pick<StateOptions, 'home' | 'env'> = {}): string[] {
  const home = resolveHome(options.home, options.env ?? process.env)
  return listDirectory(home.state)
    .flatMap((file) => (file.endsWith('.json') && isId(file.slice(0, -5)) ? file.slice(0, -5) : []))
    .sort()
}

/** Where a state lies: `state/{name}.json`, and `state/.{name}/` for its generations. */
export function placeOf(home: Home, name: string): StatePlace {
  return { file: join(home.state, `${name}.json`), directory: join(home.state, `.${name}`) }
}

/** An error of the caller's own function; everything else is trouble with the files. */
class FromCaller extends Error {}

/** The new value, null to delete, undefined to leave alone. */
type Decide = (seen: Seen) => Promise<State | null | undefined>

async function change(name: string, options: StateOptions, decide: Decide): Promise<boolean> {
  const { home, place } = locate(name, options)
  requireWriter(options.env ?? process.env, `change state ${name}`)
  try {
    makeDirectory(home.state)
    const attempt = (): Promise<void> => apply(place, decide, options)
    const result = await withFileLock(place.file, attempt)
    // The lock only saves writers from doing their work twice; who cannot have it in time goes on without.
    if (result.kind === 'busy') await attempt()
    if (result.kind === 'unavailable') throw result.error
    return true
  } catch (error) {
    if (error instanceof FromCaller) throw error.cause
    const problem = `state ${name} cannot be written: ${messageOf(error)}`
    if (options.strict) throw new CronwrapError('CANNOT_RECORD', problem, { cause: error })
    noteProblem(home, problem)
    return false
  }
}

async function apply(place: StatePlace, decide: Decide, options: StateOptions): Promise<void> {
  for (;;) {
    const seen = look(place)
    const content = await decideContent(seen, decide, options)
    if (content === undefined) return
    if (follow(place, seen, content)) break
  }
  tidy(place, new Date())
}

async function decideContent(seen: Seen, decide: Decide, options: StateOptions): Promise<Buffer | null | undefined> {
  try {
    const value = await decide(seen)
    if (value === undefined || value === null) return value
    const content = serializeState(value)
    await options.validate?.(value)
    return content
  } catch (error) {
    throw new FromCaller('', { cause: error })
  }
}

function locate(name: string, options: StateOptions): { home: Home; place: StatePlace } {
  const home = resolveHome(options.home, options.env ?? process.env)
  return { home, place: placeOf(home, parseId(name, 'state')) }
}
