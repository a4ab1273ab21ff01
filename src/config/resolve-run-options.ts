import { CronwrapError, messageOf } from '../errors.ts'
import type { Home } from './base-directory.ts'
import { readConfigFile, type ConfigFile, type Settings } from './config-file.ts'
import { deriveJobId, isId, parseId } from './job-id.ts'
import { nearest } from './nearest.ts'
import { DEFAULT_RUN_OPTIONS, RUN_OPTIONS, type OptionSpec } from './option-specs.ts'
import { flagValue } from './option-value.ts'
import type { RunOptions } from './run-options.ts'

export interface Resolved {
  readonly job: string
  readonly options: RunOptions
  /** What was wrong in the environment or the file and is ignored; one clear line each. */
  readonly warnings: readonly string[]
  /** cronwrap.json asks for more than the record: notifications, metrics. */
  readonly hasFollowUp: boolean
}

/** Variables that are not options of a run but ours all the same. */
const OTHER_VARIABLES = new Set(['CRONWRAP_BIN', 'CRONWRAP_HOME', 'CRONWRAP_JOB', 'CRONWRAP_JOB_ID', 'CRONWRAP_RUN_ID'])

/** What the command of a notification finds in its environment. */
const ALERT_VARIABLES = 'CRONWRAP_ALERT_'

/**
 * Each option from the strongest place that names it: flag, environment, `jobs.<id>` in
 * cronwrap.json, `defaults` there, built-in; or from all of them, where the values add up.
 * A bad flag is the caller's mistake and refused. A bad value elsewhere costs a warning only: the
 * job of last night must still run after somebody edited the file.
 * @throws CronwrapError
 */
export function resolveRunOptions(
  flags: ReadonlyMap<string, string>,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  home: Home,
): Resolved {
  const warnings: string[] = []
  const job = resolveJob(flags.get('job'), command, env, warnings)
  const file = readConfigFile(home.config, warnings)
  const values = new Map<string, unknown>()
  for (const settings of weakestFirst(file, job, env, warnings)) {
    for (const [name, { value, where }] of settings) tryToSet(values, name, value, where, warnings)
  }
  for (const [name, value] of flags) {
    if (name !== 'job' && name !== 'home') setFlag(values, name, value)
  }
  const hasFollowUp = 'notify' in file.root || 'metrics' in file.root
  return { job, options: { ...DEFAULT_RUN_OPTIONS, ...Object.fromEntries(values) }, warnings, hasFollowUp }
}

/** What cronwrap.json alone says of a job; null asks for the defaults. What is wrong there is one warning each. */
export function optionsInFile(file: ConfigFile, job: string | null): Pick<Resolved, 'options' | 'warnings'> {
  const warnings: string[] = []
  const values = new Map<string, unknown>()
  for (const settings of [file.defaults, (job === null ? undefined : file.jobs.get(job)) ?? new Map()] as Settings[]) {
    for (const [name, { value, where }] of settings) tryToSet(values, name, value, where, warnings)
  }
  return { options: { ...DEFAULT_RUN_OPTIONS, ...Object.fromEntries(values) }, warnings }
}

function resolveJob(
  flag: string | undefined,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  warnings: string[],
): string {
  if (flag !== undefined) return parseId(flag)
  const named = env['CRONWRAP_JOB']
  // Inside a wrapped job the variable still names the outer job; an inner run is another one.
  const outer = named !== undefined && named === env['CRONWRAP_JOB_ID']
  if (named === undefined || named === '' || outer) return deriveJobId(command)
  if (isId(named)) return named
  const derived = deriveJobId(command)
  warnings.push(`CRONWRAP_JOB ${JSON.stringify(named)} cannot name a job; recorded as "${derived}"`)
  return derived
}

function weakestFirst(file: ConfigFile, job: string, env: NodeJS.ProcessEnv, warnings: string[]): Settings[] {
  return [file.defaults, file.jobs.get(job) ?? new Map(), readEnvironment(env, warnings)]
}

function readEnvironment(env: NodeJS.ProcessEnv, warnings: string[]): Settings {
  const settings: Settings = new Map()
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('CRONWRAP_') || OTHER_VARIABLES.has(variable) || value === undefined) continue
    const name = variable.slice('CRONWRAP_'.length).toLowerCase().replaceAll('_', '-')
    if (RUN_OPTIONS.has(name)) settings.set(name, { value, where: variable })
    else if (!variable.startsWith(ALERT_VARIABLES))
      warnings.push(`unknown variable ${variable} is ignored${suggest(name)}`)
  }
  return settings
}

function suggest(name: string): string {
  const known = nearest(name, [...RUN_OPTIONS.keys()])
  return known === undefined ? '' : ` (did you mean CRONWRAP_${known.toUpperCase().replaceAll('-', '_')}?)`
}

function tryToSet(values: Map<string, unknown>, name: string, text: string, where: string, warnings: string[]): void {
  const spec = RUN_OPTIONS.get(name)
  if (spec === undefined) return
  try {
    setValue(values, spec, spec.parse(text))
  } catch (error) {
    const hint = error instanceof CronwrapError && error.hint !== undefined ? ` (${error.hint})` : ''
    if (spec.whenBad !== undefined) setValue(values, spec, spec.whenBad.value)
    warnings.push(`${where}: ${messageOf(error)}${hint}; ${spec.whenBad?.means ?? 'ignored'}`)
  }
}

function setValue(values: Map<string, unknown>, { key, addsUp }: OptionSpec, value: unknown): void {
  const before = values.get(key)
  const adds = addsUp === true && Array.isArray(before) && Array.isArray(value)
  values.set(key, adds ? [...(before as unknown[]), ...(value as unknown[])] : value)
}

function setFlag(values: Map<string, unknown>, name: string, text: string): void {
  const spec = RUN_OPTIONS.get(name)
  if (spec === undefined) throw new CronwrapError('USAGE', `unknown option --${name}`)
  setValue(values, spec, flagValue(name, text, spec.parse))
}
