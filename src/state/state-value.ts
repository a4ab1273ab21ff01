import { CronwrapError, messageOf } from '../errors.ts'
import { formatSize } from '../platform/size.ts'
import { MAX_STATE_BYTES } from './generation.ts'

/** Any JSON object. */
export type State = Record<string, unknown>

/**
 * Reads a state's file: UTF-8, with or without a byte order mark. Of a key that stands twice the last counts, as
 * everywhere in JavaScript and Python.
 * @throws Error when it is no JSON object
 */
export function parseState(content: Buffer): State {
  const value: unknown = JSON.parse(content.toString('utf8').replace(/^\uFEFF/, ''))
  if (!isState(value)) throw new Error('it is not a JSON object')
  return value
}

/**
 * Two-space JSON, as the original wrote it.
 * @throws CronwrapError `BAD_VALUE` for what is no JSON object, nested too deeply, or larger than 64 MiB
 */
export function serializeState(value: unknown): Buffer {
  if (!isState(value)) {
    throw new CronwrapError('BAD_VALUE', 'a state is a JSON object', {
      hint: 'put the value under a key: {"value": …}',
    })
  }
  let text: string
  try {
    text = `${JSON.stringify(value, null, 2)}\n`
  } catch (error) {
    throw new CronwrapError('BAD_VALUE', `the state cannot be written as JSON: ${messageOf(error)}`, { cause: error })
  }
  const content = Buffer.from(text)
  if (content.byteLength <= MAX_STATE_BYTES) return content
  throw new CronwrapError(
    'BAD_VALUE',
    `the state has ${formatSize(content.byteLength)}; at most ${formatSize(MAX_STATE_BYTES)} are possible`,
  )
}

function isState(value: unknown): value is State {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
