import { errnoOf, messageOf } from '../errors.ts'

/** Each call starts a program of its own, which takes about a second, more under load. */
const TIMEOUT_MS = 60_000

export type Answer =
  | { readonly kind: 'answer'; readonly value: unknown }
  /** There is no `openclaw` on the PATH. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly message: string }

/** Asks the OpenClaw command line, whose answers are JSON. Its database is not touched: its tables change from version to version. */
export async function askOpenclaw(words: readonly string[]): Promise<Answer> {
  const { execa } = await import('execa')
  const result = await execa('openclaw', words, { reject: false, stdin: 'ignore', timeout: TIMEOUT_MS })
  if (errnoOf(result.cause) === 'ENOENT') return { kind: 'absent' }
  const value = parseJson(result.stdout)
  const refusal = refusalIn(value)
  if (refusal !== null) return { kind: 'failed', message: refusal }
  if (result.failed && value === undefined)
    return { kind: 'failed', message: lastLine(result.stderr) ?? result.shortMessage ?? messageOf(result) }
  if (value === undefined) return { kind: 'failed', message: `openclaw ${words.join(' ')} printed no JSON` }
  return { kind: 'answer', value }
}

/** Notices may stand before the JSON. */
function parseJson(text: string): unknown {
  const start = text.search(/^[[{]/m)
  try {
    return start === -1 ? undefined : JSON.parse(text.slice(start))
  } catch {
    return undefined
  }
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

/** The list itself, or the one below any of the keys. */
export function listIn(value: unknown, ...keys: readonly string[]): unknown[] {
  const candidates = [value, ...keys.map((key) => field(value, key))]
  return candidates.find((each): each is unknown[] => Array.isArray(each)) ?? []
}
