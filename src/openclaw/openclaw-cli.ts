import { CronwrapError, errnoOf, messageOf } from '../errors.ts'

/** Each call starts a program of its own, which takes about a second, more under load. */
const TIMEOUT_MS = 60_000

export type Answer =
  | { readonly kind: 'answer'; readonly value: unknown }
  /** There is no `openclaw` on the PATH. */
  | { readonly kind: 'absent' }
  /** `ran`: it ended well and still gave no answer. */
  | { readonly kind: 'failed'; readonly message: string; readonly ran: boolean }

/** Asks the OpenClaw command line, whose answers are JSON. Its database is not touched: its tables change from version to version. */
export async function askOpenclaw(words: readonly string[], timeoutMs: number = TIMEOUT_MS): Promise<Answer> {
  const { execa } = await import('execa')
  const result = await execa('openclaw', words, { reject: false, stdin: 'ignore', timeout: timeoutMs })
  if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(errnoOf(result.cause) ?? '')) return { kind: 'absent' }
  const value = parseJson(result.stdout)
  const refusal = refusalIn(value)
  if (refusal !== null) return { kind: 'failed', message: refusal, ran: false }
  if (result.failed && value === undefined)
    return { kind: 'failed', message: lastLine(result.stderr) ?? result.shortMessage ?? messageOf(result), ran: false }
  if (value === undefined) return { kind: 'failed', message: `openclaw ${words.join(' ')} printed no JSON`, ran: true }
  return { kind: 'answer', value }
}

/** Notices may stand before the JSON, some of them in brackets. */
function parseJson(text: string): unknown {
  for (const { index } of text.matchAll(/^[[{]/gm)) {
    try {
      return JSON.parse(text.slice(index))
    } catch {
      continue
    }
  }
  return undefined
}

/** `{"ok":false,"error":{"message":…}}`, as it answers when the gateway cannot be reached. */
function refusalIn(value: unknown): string | null {
  const error = field(value, 'ok') === false ? field(value, 'error') : undefined
  if (error === undefined) return null
  const message = typeof error === 'string' ? error : field(error, 'message')
  return typeof message === 'string' ? message : 'openclaw refused'
}

function lastLine(text: string): string | null {
  return text.trim().split('\n').at(-1) || null
}

/** One field of anything; undefined where there is none. Every field of OpenClaw's answers is optional to us. */
export function field(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

export function textField(value: unknown, ...path: readonly string[]): string | null {
  const found = field(value, ...path)
  return typeof found === 'string' && found !== '' ? found : null
}

export function numberField(value: unknown, ...path: readonly string[]): number | null {
  const found = field(value, ...path)
  return typeof found === 'number' && Number.isFinite(found) ? found : null
}

/** Why OpenClaw could not be asked, for whoever needs its answer. */
export function cannotAsk(answer: Exclude<Answer, { kind: 'answer' }>): CronwrapError {
  const message = answer.kind === 'absent' ? 'there is no openclaw on the PATH' : answer.message
  return new CronwrapError('CANNOT_READ', `OpenClaw could not be asked: ${message}`, { hint: 'see cronwrap doctor' })
}

/** The list itself, or the one below any of the keys. */
export function listIn(value: unknown, ...keys: readonly string[]): unknown[] {
  const candidates = [value, ...keys.map((key) => field(value, key))]
  return candidates.find((each): each is unknown[] => Array.isArray(each)) ?? []
}
