import * as fs from 'node:fs'
import { httpUrl } from '../config/option-value.ts'
import { settingPath } from '../config/setting-path.ts'
import { messageOf } from '../errors.ts'
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

const TARGET_KEYS: Record<Target['type'], readonly string[]> = {
  command: ['command'],
  webhook: ['url', 'url_file', 'template', 'headers'],
  openclaw: ['channel', 'to', 'account'],
  mail: ['to', 'from'],
}

const OF_ALL_TARGETS = ['cooldown', 'expires', 'timeout']
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

/**
 * @param directory what a relative path in it begins with
 * @throws Error that says what is wrong with it
 */
export function readTarget(name: string, raw: unknown, directory: string): Target {
  if (!isObject(raw)) throw new Error('it is not an object')
  const type = Object.keys(TARGET_KEYS).find((each): each is Target['type'] => each === raw['type'])
  if (type === undefined) throw new Error(unknownType(raw['type']))
  if (type === 'webhook') return { name, type, ...readWebhook(raw, directory) }
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

function unknownType(given: unknown): string {
  const types = Object.keys(TARGET_KEYS).join(', ')
  if (given === undefined) return `it has no type; there are ${types}`
  const hint = isTemplate(given) ? `; write "type": "webhook", "template": "${given}"` : ''
  return `its type ${JSON.stringify(given)} is none of ${types}${hint}`
}

function refuseUnknown(raw: Record<string, unknown>, what: string, keys: readonly string[]): void {
  const unknown = Object.keys(raw).find((key) => key !== 'type' && !keys.includes(key))
  if (unknown === undefined) return
  const hint = OF_ALL_TARGETS.includes(unknown) ? `; "${unknown}" stands under "notify", for all targets` : ''
  throw new Error(`${what} has no "${unknown}"; it has ${keys.join(', ')}${hint}`)
}

const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

function readWebhook(raw: Record<string, unknown>, directory: string): WebhookTarget {
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
    url: httpUrl(fromFile(raw, 'url', directory) ?? required(raw, 'url')),
    template,
    headers: headers as Record<string, string>,
    secret: fromFile(raw, 'secret', directory) ?? optional(raw, 'secret'),
    chatId,
  }
}

/** `url_file` names a file that holds the URL, and nobody else can read, say. */
function fromFile(raw: Record<string, unknown>, key: string, directory: string): string | null {
  const path = optional(raw, `${key}_file`)
  if (path === null) return null
  if (optional(raw, key) !== null) throw new Error(`it has both "${key}" and "${key}_file"; leave one of them out`)
  try {
    return fs.readFileSync(settingPath(directory, path), 'utf8').trim()
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
  if (typeof raw['command'] === 'string' && /\s/.test(raw['command']))
    throw new Error(
      `"command" is one text; write each word by itself: ${JSON.stringify(raw['command'].trim().split(/\s+/))}`,
    )
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
  if (value === undefined) throw new Error(`"${key}" is missing`)
  if (isListOf(value, isText) && (value as string[]).length > 0) return value as string[]
  throw new Error(`"${key}" is not a list of texts`)
}
