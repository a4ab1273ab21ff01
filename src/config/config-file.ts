import { messageOf } from '../errors.ts'
import { readBounded } from '../platform/atomic-file.ts'
import { isObject } from '../platform/field.ts'
import { isId } from './job-id.ts'
import { nearest } from './nearest.ts'
import { RUN_OPTIONS } from './option-specs.ts'

const MAX_BYTES = 4 * 1024 * 1024

/** Option name to its text and where it was found. */
export type Settings = Map<string, { readonly value: string; readonly where: string }>

export interface ConfigFile {
  readonly defaults: Settings
  readonly jobs: ReadonlyMap<string, Settings>
  /** All of it as it stands there, for what is read elsewhere. */
  readonly root: Readonly<Record<string, unknown>>
  /** False for a file that is there and cannot be used: then nobody knows what it says. */
  readonly isUsable: boolean
}

/** Keys that are no options of a run: `notify` and `metrics`, and who is told of a job's alerts. */
const SECTIONS = ['notify', 'metrics']
const AUDIENCE = 'notify'

/**
 * Reads cronwrap.json: `{"defaults": {…}, "jobs": {"<id>": {…}}, "notify": {…}, "metrics": {…}}`, options named as in the help
 * (`kill_after` or `kill-after`). A missing file is an empty one. Whatever is wrong in it is one
 * warning, and the rest counts.
 */
export function readConfigFile(path: string, warnings: string[]): ConfigFile {
  const root = readObject(path, warnings)
  const jobs = new Map<string, Settings>()
  if (root === 'unusable') return { defaults: new Map(), jobs, root: {}, isUsable: false }
  if (root === 'hiding') return { defaults: hidingAll(path), jobs, root: {}, isUsable: false }
  let defaults: Settings = new Map()
  const misplaced: Settings = new Map()
  for (const [key, value] of Object.entries(root)) {
    if (key === 'defaults') defaults = readSettings(value, `${path}: defaults`, warnings)
    else if (key === 'jobs') readJobs(value, path, jobs, warnings)
    else if (!SECTIONS.includes(key)) {
      const known = nearest(key, ['defaults', 'jobs', ...SECTIONS])
      const hint = known === undefined ? 'settings stand under "defaults" or "jobs"' : `did you mean ${known}?`
      warnings.push(`${path}: unknown key ${JSON.stringify(key)} is ignored; ${hint}`)
      if (RUN_OPTIONS.get(key)?.whenBad !== undefined) misplaced.set(key, { value: UNUSABLE, where: `${path}: ${key}` })
    }
  }
  return { defaults: new Map([...misplaced, ...defaults]), jobs, root, isUsable: true }
}

/** `hiding`: it cannot be used, and seems to say what must be hidden. */
function readObject(path: string, warnings: string[]): Record<string, unknown> | 'unusable' | 'hiding' {
  let text = ''
  try {
    const content = readBounded(path, MAX_BYTES)
    if (content === null) return {}
    text = content.toString('utf8')
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    if (isObject(value)) return value
    warnings.push(`${path} is not a JSON object and is ignored`)
  } catch (error) {
    warnings.push(`${path} cannot be used and is ignored: ${messageOf(error)}`)
  }
  return text.includes('"redact"') ? 'hiding' : 'unusable'
}

/** A text that no parser takes: it counts as bad, and not as missing. */
const UNUSABLE = '\0'

function hidingAll(path: string): Settings {
  return new Map([['redact', { value: UNUSABLE, where: `${path}: redact` }]])
}

function readJobs(value: unknown, path: string, jobs: Map<string, Settings>, warnings: string[]): void {
  if (!isObject(value)) {
    warnings.push(`${path}: jobs is not an object and is ignored`)
    return
  }
  for (const [id, settings] of Object.entries(value)) {
    const where = `${path}: jobs.${id}`
    if (isId(id)) jobs.set(id, readSettings(settings, where, warnings))
    else warnings.push(`${where}: ${JSON.stringify(id)} cannot name a job and is ignored`)
  }
}

function readSettings(value: unknown, where: string, warnings: string[]): Settings {
  const settings: Settings = new Map()
  if (!isObject(value)) {
    warnings.push(`${where} is not an object and is ignored`)
    return settings
  }
  for (const [key, raw] of Object.entries(value)) {
    if (key === AUDIENCE) continue
    const name = key.replaceAll('_', '-')
    const text = asText(raw, RUN_OPTIONS.get(name)?.addsUp ? '\n' : ',')
    if (!RUN_OPTIONS.has(name)) {
      const known = nearest(name, [...RUN_OPTIONS.keys()])?.replaceAll('-', '_')
      const meant = SECTIONS.includes(key) ? 'it stands at the top of the file' : `did you mean ${known}?`
      const hint = SECTIONS.includes(key) || known !== undefined ? ` (${meant})` : ''
      warnings.push(`${where}: unknown key ${JSON.stringify(key)} is ignored${hint}`)
    } else if (text === null && RUN_OPTIONS.get(name)?.whenBad !== undefined) {
      settings.set(name, { value: UNUSABLE, where: `${where}.${key}` })
    } else if (text === null) {
      warnings.push(`${where}.${key}: ${JSON.stringify(raw)} is not a value for it; ignored`)
    } else {
      settings.set(name, { value: text, where: `${where}.${key}` })
    }
  }
  return settings
}

/** Options are read from text, as from the command line, so a JSON scalar or list is turned into it. */
function asText(value: unknown, separator: string): string | null {
  if (Array.isArray(value)) return value.every(isScalar) ? value.map(String).join(separator) : null
  return isScalar(value) ? String(value) : null
}

function isScalar(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}
