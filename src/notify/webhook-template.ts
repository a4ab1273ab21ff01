import { createHmac } from 'node:crypto'
import { isObject } from '../platform/field.ts'
import type { Message, Severity } from './message.ts'

/** Forms in which services take a message; `json` is ours. */
export const TEMPLATES = ['json', 'slack', 'discord', 'feishu', 'dingtalk', 'wecom', 'ntfy', 'telegram'] as const
export type WebhookTemplate = (typeof TEMPLATES)[number]

export function isTemplate(name: unknown): name is WebhookTemplate {
  return TEMPLATES.some((each) => each === name)
}

export interface WebhookRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Where a webhook goes, and in which form. */
export interface WebhookTarget {
  readonly url: string
  readonly template: WebhookTemplate
  readonly headers: Readonly<Record<string, string>>
  /** What the request is signed with. */
  readonly secret: string | null
  /** The chat of a Telegram bot. */
  readonly chatId: string | null
}

/** Discord takes 2,000 characters, Telegram 4,096; Slack, Feishu and DingTalk more. */
const MOST_CHARACTERS = 1_900
/** WeCom takes 2,048 bytes, https://developer.work.weixin.qq.com/document/path/91770. */
const MOST_BYTES_WECOM = 2_000
/** ntfy makes a file of a message of more than 4,096 bytes. */
const MOST_BYTES_NTFY = 4_000
const SIGNS: Record<Severity, string> = { critical: '🔴', warning: '🟠', ok: '🟢' }

/** The request that brings a message to a service. Pure: time decides the signature. */
export function webhookRequest(target: WebhookTarget, message: Message, now: Date): WebhookRequest {
  const { url, body } = requestFor(target, message, now)
  const text = JSON.stringify(body)
  const signed =
    target.template === 'json' && target.secret !== null ? signature(target.secret, message.id, text, now) : {}
  return {
    url,
    headers: { 'content-type': 'application/json; charset=utf-8', ...signed, ...target.headers },
    body: text,
  }
}

function requestFor(target: WebhookTarget, message: Message, now: Date): { url: string; body: object } {
  const { url, template, secret, chatId } = target
  const whole = `${SIGNS[message.severity]} ${message.title}\n${message.text}`
  const text = wellFormed(whole.slice(0, MOST_CHARACTERS))
  switch (template) {
    case 'json':
      return { url, body: message }
    case 'slack':
      return { url, body: { text: escapedForSlack(text) } }
    case 'discord':
      return { url, body: { content: text, allowed_mentions: { parse: [] } } }
    case 'feishu':
      return {
        url,
        body: { ...feishuSignature(secret, now), msg_type: 'text', content: { text: withoutMentions(text) } },
      }
    case 'dingtalk':
      return { url: withDingtalkSignature(url, secret, now), body: { msgtype: 'text', text: { content: text } } }
    case 'wecom':
      return { url, body: { msgtype: 'text', text: { content: firstBytes(withoutMentions(whole), MOST_BYTES_WECOM) } } }
    case 'ntfy':
      return ntfyRequest(url, message)
    case 'telegram':
      return { url, body: { chat_id: chatId, text, disable_web_page_preview: true } }
  }
}

/** Without half of a character at its end. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff]$/, '')
}

function firstBytes(text: string, most: number): string {
  const bytes = Buffer.from(text)
  return bytes.byteLength <= most
    ? text
    : bytes
        .subarray(0, most)
        .toString('utf8')
        .replace(/\ufffd$/, '')
}

/** `<at user_id="all">` and `<@all>` call everybody, also from the output of a job; there is no way to quote them. */
function withoutMentions(text: string): string {
  return text.replace(/<(?=at\b|@)/gi, '<\u200b')
}

/** https://docs.slack.dev/messaging/formatting-message-text: these three only. */
function escapedForSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Published as JSON, which takes a title in any script; headers would not: https://docs.ntfy.sh/publish/#publish-as-json */
function ntfyRequest(url: string, { title, text, severity }: Message): { url: string; body: object } {
  const server = new URL(url)
  const topic = decodeURIComponent(server.pathname.split('/').filter(Boolean).at(-1) ?? '')
  server.pathname = server.pathname.replace(/\/?[^/]*\/?$/, '/')
  const priority = { critical: 5, warning: 4, ok: 3 }[severity]
  const tags = [{ critical: 'rotating_light', warning: 'warning', ok: 'white_check_mark' }[severity]]
  return { url: server.href, body: { topic, title, message: firstBytes(text, MOST_BYTES_NTFY), priority, tags } }
}

/**
 * The Standard Webhooks signature, https://www.standardwebhooks.com: HMAC-SHA256 of `id.time.body`. A
 * secret that begins with `whsec_` is base64, any other is taken as it is.
 */
export function signature(secret: string, id: string, body: string, now: Date): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret
  const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${hmac}` }
}

/** Feishu signs nothing, with a key made of time and secret. */
function feishuSignature(secret: string | null, now: Date): object {
  if (secret === null) return {}
  const timestamp = String(Math.floor(now.getTime() / 1000))
  return { timestamp, sign: createHmac('sha256', `${timestamp}\n${secret}`).digest('base64') }
}

/** DingTalk signs time and secret, and takes the signature in the address. */
function withDingtalkSignature(url: string, secret: string | null, now: Date): string {
  if (secret === null) return url
  const timestamp = String(now.getTime())
  const signed = new URL(url)
  signed.searchParams.set('timestamp', timestamp)
  signed.searchParams.set('sign', createHmac('sha256', secret).update(`${timestamp}\n${secret}`).digest('base64'))
  return signed.href
}

/**
 * Services that answer 200 to what they refuse say so in the body. Of one that `isCut` before it says anything the
 * status holds: the message would arrive again with each further attempt.
 */
export function refusalIn(template: WebhookTemplate, body: string, { isCut = false } = {}): string | null {
  if (!['feishu', 'dingtalk', 'wecom', 'telegram'].includes(template)) return null
  const answer = objectIn(body)
  if (answer === null) return isCut ? null : 'the answer is no JSON object'
  const code =
    answer['errcode'] ??
    answer['code'] ??
    answer['StatusCode'] ??
    (answer['ok'] === false ? (answer['error_code'] ?? 1) : 0)
  if (code === 0) return null
  const why =
    [answer['errmsg'], answer['msg'], answer['description']].find((each) => typeof each === 'string') ?? 'refused'
  return `${JSON.stringify(code)}: ${why}`
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}
