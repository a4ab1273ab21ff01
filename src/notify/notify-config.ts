import * as fs from 'node:fs'
import { readConfigFile } from '../config/config-file.ts'
import { httpUrl } from '../config/option-value.ts'
import { messageOf } from '../errors.ts'
import { parseDuration } from '../platform/duration.ts'
import { isListOf, isObject, isText } from '../platform/field.ts'
import { isTemplate, TEMPLATES, type WebhookTarget, type WebhookTemplate } from './webhook-template.ts'

/** Where notifications go. */
export type Target = { readonly name: string } & (
  | {
      readonly type: 'command'
      /** Program and arguments; no shell is involved. */
      readonly command: readonly string[]
    }
  | ({ readonly type: 'webhook' } & WebhookTarget)
  | {
      readonly type: 'openclaw'
      readonly channel: string
      readonly to: string
      readonly account: string | null
    }
  | { readonly type: 'mail'; readonly to: readonly string[]; readonly from: string | null }
)

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
    problems.push(`${where}: ${messageOf(error)}`)
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
      targets.set(name, readTarget(name, raw))
    } catch (error) {
      problems.push(`${path}: the target "${name}" cannot be used: ${messageOf(error)}`)
    }
  }
  return targets
}

const TARGET_KEYS: Record<Target['type'], readonly string[]> = {
  command: ['command'],
  webhook: ['url', 'url_file', 'template', 'headers'],
  openclaw: ['channel', 'to', 'account'],
  mail: ['to', 'from'],
}

const SIGNED = ['secret', 'secret_file']
/** What else a webhook has, by its template. */
const TEMPLATE_KEYS: Record<WebhookTemplate, readonly string[]> = {
  json: SIGNED,
  slack: [],
  discord: [],
  feishu: SIGNED,
  dingtalk: SIGNED,
  wecom: [],
  ntfy: [],
  telegram: ['chat_id'],
}

function readTarget(name: string, raw: unknown): Target {
  if (!isObject(raw)) throw new Error('it is not an object')
  const type = Object.keys(TARGET_KEYS).find((each): each is Target['type'] => each === raw['type'])
  if (type === undefined) throw new Error(`its type is none of ${Object.keys(TARGET_KEYS).join(', ')}`)
  if (type === 'webhook') return { name, type, ...readWebhook(raw) }
  refuseUnknown(raw, `a ${type}`, TARGET_KEYS[type])
  switch (type) {
    case 'command':
      return { name, type, command: program(raw) }
    case 'openclaw':
      return {
        name,
        type,
        channel: required(raw, 'channel'),
        to: required(raw, 'to'),
        account: optional(raw, 'account'),
      }
    case 'mail':
      return { name, type, to: addresses(raw), from: optional(raw, 'from') }
  }
}

function refuseUnknown(raw: Record<string, unknown>, what: string, keys: readonly string[]): void {
  const unknown = Object.keys(raw).find((key) => key !== 'type' && !keys.includes(key))
  if (unknown !== undefined) throw new Error(`${what} has no "${unknown}"; it has ${keys.join(', ')}`)
}

const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

function readWebhook(raw: Record<string, unknown>): WebhookTarget {
  const template = optional(raw, 'template') ?? 'json'
  if (!isTemplate(template)) throw new Error(`there is no template "${template}"; there are ${TEMPLATES.join(', ')}`)
  const keys = [...TARGET_KEYS.webhook, ...TEMPLATE_KEYS[template]]
  refuseUnknown(raw, `a webhook with the template ${template}`, keys)
  const headers = raw['headers'] ?? {}
  if (!isObject(headers) || !Object.values(headers).every(isText)) throw new Error('headers is not an object of texts')
  const unfit = Object.entries(headers).find(
    ([key, value]) => !HEADER_NAME.test(key) || !HEADER_VALUE.test(String(value)),
  )
  if (unfit !== undefined)
    throw new Error(`the header ${JSON.stringify(unfit[0])} holds a character that none may hold`)
  const chatId = optional(raw, 'chat_id')
  if (template === 'telegram' && chatId === null) throw new Error('telegram needs a chat_id')
  return {
    url: httpUrl(fromFile(raw, 'url') ?? required(raw, 'url')),
    template,
    headers: headers as Record<string, string>,
    secret: fromFile(raw, 'secret') ?? optional(raw, 'secret'),
    chatId,
  }
}

/** `url_file` names a file that holds the URL, and nobody else can read, say. */
function fromFile(raw: Record<string, unknown>, key: string): string | null {
  const path = optional(raw, `${key}_file`)
  if (path === null) return null
  if (optional(raw, key) !== null) throw new Error(`it has both "${key}" and "${key}_file"; leave one of them out`)
  try {
    return fs.readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new Error(`its ${key}_file cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function required(raw: Record<string, unknown>, key: string): string {
  const value = optional(raw, key)
  if (value === null) throw new Error(`"${key}" is missing`)
  return value
}

/** An id of a chat may stand there as a number. */
function optional(raw: Record<string, unknown>, key: string): string | null {
  const value = raw[key]
  if (value === undefined || value === '') return null
  if (typeof value === 'string' && !/[\r\n]/.test(value)) return value
  if (Number.isSafeInteger(value)) return JSON.stringify(value)
  throw new Error(`"${key}" is not a text of one line`)
}

function program(raw: Record<string, unknown>): string[] {
  const command = requiredList(raw, 'command')
  if (command[0] === '') throw new Error('"command" names no program')
  return command
}

/** A line break would begin another header. */
function addresses(raw: Record<string, unknown>): string[] {
  const to = requiredList(raw, 'to')
  if (to.some((address) => /[\r\n]/.test(address))) throw new Error('"to" holds a line break')
  return to
}

function requiredList(raw: Record<string, unknown>, key: string): string[] {
  const value = typeof raw[key] === 'string' ? [raw[key]] : raw[key]
  if (isListOf(value, isText) && (value as string[]).length > 0) return value as string[]
  throw new Error(`"${key}" is not a list of texts`)
}
