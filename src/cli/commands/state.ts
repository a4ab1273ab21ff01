import * as fs from 'node:fs'
import { parseId } from '../../config/job-id.ts'
import { wholeNumber, flagValue } from '../../config/option-value.ts'
import { CronwrapError, messageOf } from '../../errors.ts'
import { loadDailyState } from '../../state/daily-state.ts'
import { createValidator } from '../../state/schema.ts'
import {
  deleteState,
  listStates,
  placeOf,
  readState,
  updateState,
  writeState,
  type StateOptions,
} from '../../state/state-store.ts'
import type { State } from '../../state/state-value.ts'
import { requireWriter } from '../../state/write-permission.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { print, printJson } from '../output.ts'
import { filterState } from '../filter-state.ts'
import { watchState } from '../watch-state.ts'

export const stateCommand: Command = {
  name: 'state',
  usage: '<action> [name] [value]',
  description: 'Share JSON state with jobs: get, set, merge, patch, edit, list, delete, path, watch',
  flags: new Map([
    ['raw', { takesValue: false, description: 'get: print a string without quotes' }],
    ['default', { takesValue: true, placeholder: '<json>', description: 'get: print this when there is none' }],
    ['daily', { takesValue: false, description: 'get, edit: begin anew each day, by its "date"' }],
    ['initial', { takesValue: true, placeholder: '<json>', description: '--daily: how a day begins (default: {})' }],
    ['tz', { takesValue: true, placeholder: '<zone>', description: "--daily: whose midnight (default: the system's)" }],
    [
      'keep-days',
      { takesValue: true, placeholder: '<n>', description: '--daily: keep older days this long (default: 30)' },
    ],
    [
      'schema',
      { takesValue: true, placeholder: '<file>', description: 'set, merge, patch, edit: the new value must fit' },
    ],
    ['json', { ...JSON_FLAG, description: 'list: print JSON' }],
  ]),
  examples: [
    'cronwrap state set water \'{"total": 0}\'',
    "cronwrap state edit water -- jq '.total += 300'",
    'cronwrap state merge water \'{"goal": 2000}\'',
    'cronwrap state patch water \'[{"op": "add", "path": "/goal", "value": 2000}]\'',
    'cronwrap state get water /total',
  ],
  positionals: [1, Infinity],
  async run(input) {
    const [action = '', name, ...rest] = input.positionals
    const run = ACTIONS.get(action)
    if (run === undefined) {
      throw new CronwrapError('USAGE', `"${action}" is nothing to do with a state`, {
        hint: `use one of ${[...ACTIONS.keys()].join(', ')}`,
      })
    }
    if (action === 'list') return list(input)
    if (name === undefined)
      throw new CronwrapError('USAGE', `usage: cronwrap state ${action} <name>`, { hint: 'see cronwrap state --help' })
    return run(input, parseId(name, 'state'), rest)
  },
}

type Action = (input: CommandInput, name: string, rest: readonly string[]) => Promise<number>

const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['get', get],
  ['set', set],
  ['merge', merge],
  ['patch', patch],
  ['edit', edit],
  ['list', list],
  ['delete', remove],
  ['path', path],
  ['watch', ({ home }, name) => watchState(home, name)],
])

async function set(input: CommandInput, name: string, [value = '-']: readonly string[]): Promise<number> {
  const state = parseJson(textOf(value))
  return write(input, name, (options) => writeState(name, state, options))
}

async function merge(input: CommandInput, name: string, [value]: readonly string[]): Promise<number> {
  const { apply } = await import('json-merge-patch')
  const mergePatch = parseJson(required(value, 'a JSON merge patch'))
  return write(input, name, (options) => updateState(name, (state) => apply(state ?? {}, mergePatch) as State, options))
}

async function patch(input: CommandInput, name: string, [value]: readonly string[]): Promise<number> {
  const { applyPatch } = await import('rfc6902')
  const operations: unknown = parseJson(required(value, 'a JSON patch'))
  if (!Array.isArray(operations)) throw new CronwrapError('BAD_VALUE', 'a JSON patch is a list of operations')
  return write(input, name, (options) => updateState(name, (state) => patched(applyPatch, state, operations), options))
}

async function remove(input: CommandInput, name: string): Promise<number> {
  return write(input, name, (options) => deleteState(name, options))
}

async function path({ home }: CommandInput, name: string): Promise<number> {
  print(placeOf(home, name).file)
  return 0
}

async function get(input: CommandInput, name: string, [pointer = '']: readonly string[]): Promise<number> {
  const { Pointer } = await import('rfc6902')
  const state = await present(input, name)
  let value: unknown
  try {
    value = state === null ? undefined : Pointer.fromJSON(pointer).get(state)
  } catch (error) {
    throw new CronwrapError('BAD_VALUE', `"${pointer}" is not a JSON pointer: ${messageOf(error)}`, {
      hint: 'write it as /key or /list/0',
      cause: error,
    })
  }
  const fallback = input.flags.get('default')
  if (value === undefined && fallback === undefined) {
    throw new CronwrapError(
      'NO_SUCH_STATE',
      `state ${name} ${state === null ? 'does not exist' : `has nothing at ${pointer}`}`,
      { hint: 'give a --default' },
    )
  }
  if (value === undefined) print(fallback ?? '')
  else if (input.flags.get('raw') === 'true' && typeof value === 'string') print(value)
  else printJson(value)
  return 0
}

async function present(input: CommandInput, name: string): Promise<State | null> {
  const options = { home: input.home.base, strict: true }
  if (input.flags.get('daily') !== 'true') return readState(name, options)
  return loadDailyState(name, initialDay(input), { ...options, ...dailyOptions(input) })
}

async function edit(input: CommandInput, name: string, filter: readonly string[]): Promise<number> {
  if (filter.length === 0)
    throw new CronwrapError('USAGE', 'there is no filter', { hint: "cronwrap state edit water -- jq '.total += 300'" })
  requireWriter(process.env, `change state ${name}`)
  if (input.flags.get('daily') === 'true') await present(input, name)
  return write(input, name, (options) => updateState(name, (state) => filterState(filter, state), options))
}

/** With every problem said and the exit code telling: a command that changes nothing must not look as if it had. */
async function write(
  { home, flags }: CommandInput,
  name: string,
  change: (options: StateOptions) => Promise<boolean>,
): Promise<number> {
  const validate = await createValidator(home, name, flags.get('schema'))
  await change({ home: home.base, strict: true, ...(validate === null ? {} : { validate }) })
  return 0
}

async function list({ home, flags }: CommandInput): Promise<number> {
  const names = listStates({ home: home.base })
  if (flags.get('json') === 'true') printJson(names)
  else for (const each of names) print(each)
  return 0
}

/** `applyPatch` changes the value in place and says what failed; a failed test leaves everything as it was. */
function patched(
  applyPatch: (state: unknown, operations: never[]) => Array<Error | null>,
  state: State | null,
  operations: readonly unknown[],
): State {
  const value: State = structuredClone(state ?? {})
  const failed = applyPatch(value, operations as never[]).findIndex((error) => error !== null)
  if (failed === -1) return value
  throw new CronwrapError(
    'CONFLICT',
    `operation ${failed + 1} of the patch does not apply: ${JSON.stringify(operations[failed])}`,
    { hint: 'nothing was written' },
  )
}

function dailyOptions({ flags }: CommandInput): { timeZone?: string; keepDays?: number } {
  const [timeZone, keepDays] = [flags.get('tz'), flags.get('keep-days')]
  return {
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(keepDays === undefined ? {} : { keepDays: flagValue('keep-days', keepDays, wholeNumber(0, 100_000)) }),
  }
}

function initialDay({ flags }: CommandInput): State {
  return parseJson(flags.get('initial') ?? '{}')
}

function required(value: string | undefined, what: string): string {
  if (value !== undefined) return textOf(value)
  throw new CronwrapError('USAGE', `${what} is missing`, { hint: 'see cronwrap state --help' })
}

/** `-` is standard input. */
function textOf(value: string): string {
  return value === '-' ? fs.readFileSync(0, 'utf8') : value
}

function parseJson(text: string): State {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, '')) as State
  } catch (error) {
    throw new CronwrapError('BAD_VALUE', `this is not JSON: ${messageOf(error)}`, { cause: error })
  }
}
