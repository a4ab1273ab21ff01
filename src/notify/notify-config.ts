import { dirname } from 'node:path'
import { readConfigFile } from '../config/config-file.ts'
import { messageOf } from '../errors.ts'
import { formatDuration, parseDuration } from '../platform/duration.ts'
import { isListOf, isObject, isText } from '../platform/field.ts'
import { readTarget, type Target } from './target.ts'

export interface NotifyConfig {
  readonly targets: ReadonlyMap<string, Target>
  /** Those that cannot be used for now too. */
  readonly names: ReadonlySet<string>
  /** False where nobody knows what cronwrap.json says. */
  readonly isUsable: boolean
  /** Names of the targets that hear of a job. */
  readonly targetsOf: (job: string) => readonly string[]
  /** Between two notifications of one alert. */
  readonly cooldownMs: number
  /** A notification that has not arrived after this long is given up. */
  readonly expiresMs: number
  /** Limit of one attempt. */
  readonly timeoutMs: number
  /** What is wrong with it, one sentence each; the rest counts. */
  readonly problems: readonly string[]
}

/** Others wait so long for somebody who died while he sent. */
const LONGEST_TIMEOUT_MS = 10 * 60_000
const DEFAULTS = { cooldown: 30 * 60_000, expires: 24 * 3_600_000, timeout: 10_000 }
const KEYS = ['targets', ...Object.keys(DEFAULTS)]

/** The `notify` section of cronwrap.json, and `notify` of `defaults` and of each job: the names of those who are told. */
export function readNotifyConfig(path: string): NotifyConfig {
  const { root, isUsable } = readConfigFile(path, [])
  const problems: string[] = []
  const section = isObject(root['notify']) ? root['notify'] : {}
  if (root['notify'] !== undefined && !isObject(root['notify'])) problems.push(`${path}: notify is not an object`)
  for (const key of Object.keys(section)) {
    if (!KEYS.includes(key)) problems.push(`${path}: notify has no setting "${key}"; there are ${KEYS.join(', ')}`)
  }
  const targets = readTargets(section['targets'], path, problems)
  const duration = (key: keyof typeof DEFAULTS): number =>
    readDuration(section[key], DEFAULTS[key], `${path}: notify.${key}`, problems)
  // One that cannot be used for a while is told once it can.
  const names = isObject(section['targets']) ? Object.keys(section['targets']) : []
  const audiences = readAudiences(root, path, names, problems)
  return {
    targets,
    names: new Set(names),
    isUsable: isUsable && isObject(section['targets'] ?? {}),
    targetsOf: (job) => audiences.jobs.get(job) ?? audiences.defaults,
    cooldownMs: duration('cooldown'),
    expiresMs: duration('expires'),
    timeoutMs: Math.min(duration('timeout'), LONGEST_TIMEOUT_MS),
    problems,
  }
}

function readDuration(value: unknown, fallback: number, where: string, problems: string[]): number {
  if (value === undefined) return fallback
  try {
    return parseDuration(typeof value === 'string' ? value : JSON.stringify(value))
  } catch (error) {
    problems.push(`${where}: ${messageOf(error)}; ${formatDuration(fallback)} counts`)
    return fallback
  }
}

interface Audiences {
  readonly defaults: readonly string[]
  readonly jobs: ReadonlyMap<string, readonly string[]>
}

/** Unless somebody says otherwise, all targets hear of all jobs. */
function readAudiences(
  root: Readonly<Record<string, unknown>>,
  path: string,
  all: readonly string[],
  problems: string[],
): Audiences {
  const read = (settings: unknown, where: string): readonly string[] | null => {
    const value = isObject(settings) ? settings['notify'] : undefined
    if (value === undefined) return null
    const names = typeof value === 'string' ? [value] : value
    if (!isListOf(names, isText)) {
      problems.push(`${path}: ${where}.notify is not a list of targets`)
      return null
    }
    const known = (names as string[]).filter((name) => all.includes(name))
    for (const name of names as string[]) {
      if (!known.includes(name)) problems.push(`${path}: ${where}.notify names "${name}", which is no target`)
    }
    return known
  }
  const jobs = isObject(root['jobs']) ? Object.entries(root['jobs']) : []
  return {
    defaults: read(root['defaults'], 'defaults') ?? all,
    jobs: new Map(
      jobs.flatMap(([job, settings]) => {
        const names = read(settings, `jobs.${job}`)
        return names === null ? [] : [[job, names] as const]
      }),
    ),
  }
}

function readTargets(value: unknown, path: string, problems: string[]): ReadonlyMap<string, Target> {
  if (value === undefined) return new Map()
  if (!isObject(value)) {
    problems.push(`${path}: notify.targets is not an object`)
    return new Map()
  }
  const targets = new Map<string, Target>()
  for (const [name, raw] of Object.entries(value)) {
    try {
      targets.set(name, readTarget(name, raw, dirname(path)))
    } catch (error) {
      problems.push(`${path}: the target "${name}" cannot be used: ${messageOf(error)}`)
    }
  }
  return targets
}
