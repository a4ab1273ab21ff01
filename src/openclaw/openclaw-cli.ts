import { CronwrapError } from '../errors.ts'
import { runProgram, type ProgramRun } from '../platform/run-program.ts'

/** Each call starts a program of its own, which takes about a second, more under load. */
const TIMEOUT_MS = 60_000
/** Lists of jobs are far smaller. */
const MAX_CHARACTERS = 64 * 1024 * 1024

export type Answer =
  | { readonly kind: 'answer'; readonly value: unknown }
  /** There is no `openclaw` on the PATH. */
  | { readonly kind: 'absent' }
  /** `ran`: it ended well and still gave no answer. `timedOut`: it was killed at its time limit. */
  | { readonly kind: 'failed'; readonly message: string; readonly ran: boolean; readonly timedOut?: boolean }

/** Asks the OpenClaw command line, whose answers are JSON. Its database is not touched: its tables change from version to version. */
export async function askOpenclaw(words: readonly string[], timeoutMs: number = TIMEOUT_MS): Promise<Answer> {
  const command = ['openclaw', ...words]
  const run = await runProgram({ command, input: '', env: {}, timeoutMs, maxCharacters: MAX_CHARACTERS })
  const { end } = run
  // The words after these two may be a whole message.
  const asked = command.slice(0, 3).join(' ')
  switch (end.kind) {
    case 'exited':
      return readAnswer(asked, run, end.code === 0 ? null : (end.signal ?? `exit ${end.code ?? '?'}`))
    case 'late':
      return failed(`${asked} did not end within ${timeoutMs / 1000}s`, { timedOut: true })
    case 'not-started':
      if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(end.errno ?? '')) return { kind: 'absent' }
      return failed(`openclaw cannot be run: ${end.errno ?? 'it did not start'}`)
  }
}

/** @param failure how it ended when that was not well: then it may print JSON too, which may say why, and is no answer */
function readAnswer(asked: string, { stdout, stderr }: ProgramRun, failure: string | null): Answer {
  const value = parseJson(stdout)
  if (failure !== null) return failed(errorIn(value) ?? lastLine(stderr) ?? `${asked}: ${failure}`)
  if (field(value, 'ok') === false) return failed(errorIn(value) ?? 'openclaw refused')
  return value === undefined ? failed(`${asked} printed no JSON`, { ran: true }) : { kind: 'answer', value }
}

function failed(message: string, { ran = false, timedOut = false } = {}): Answer {
  return { kind: 'failed', message, ran, timedOut }
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
function errorIn(value: unknown): string | null {
  return textField(value, 'error') ?? textField(value, 'error', 'message')
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
