import { join } from 'node:path'
import type { ErrorObject } from 'ajv'
import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { readBounded } from '../platform/atomic-file.ts'
import type { State } from './state-value.ts'

const MAX_SCHEMA_BYTES = 4 * 1024 * 1024

/**
 * A check of new values against a JSON Schema (draft 7, or 2020-12 where the schema says so): the named file, else
 * `state/schemas/{name}.schema.json` when there is one; null without a schema. Ajv is loaded only then.
 * @throws CronwrapError `CANNOT_READ` for a schema that cannot be used
 */
export async function createValidator(
  home: Home,
  name: string,
  file: string | undefined,
): Promise<((value: State) => void) | null> {
  const path = file ?? join(home.state, 'schemas', `${name}.schema.json`)
  const schema = readSchema(path, file !== undefined)
  if (schema === null) return null
  const isNew = typeof schema['$schema'] === 'string' && schema['$schema'].includes('2020-12')
  const { Ajv } = isNew ? { Ajv: (await import('ajv/dist/2020.js')).Ajv2020 } : await import('ajv')
  const ajv = new Ajv({ allErrors: true, strict: false })
  addFormats(await import('ajv-formats'), ajv)
  let validate: ReturnType<typeof ajv.compile>
  try {
    validate = ajv.compile(schema)
  } catch (error) {
    throw new CronwrapError('CANNOT_READ', `the schema ${path} cannot be used: ${messageOf(error)}`, { cause: error })
  }
  return (value) => {
    if (validate(value)) return
    const errors = (validate.errors ?? []).map(describe)
    throw new CronwrapError('BAD_VALUE', `state ${name} would not fit ${path}:\n  ${errors.join('\n  ')}`, {
      hint: 'nothing was written',
    })
  }
}

function describe({ instancePath, message, params }: ErrorObject): string {
  const extra = 'additionalProperty' in params ? ` (${String(params['additionalProperty'])})` : ''
  return `${instancePath === '' ? '(the whole state)' : instancePath} ${message ?? 'is wrong'}${extra}`
}

function readSchema(path: string, required: boolean): Record<string, unknown> | null {
  try {
    const content = readBounded(path, MAX_SCHEMA_BYTES)
    if (content !== null) return JSON.parse(content.toString('utf8')) as Record<string, unknown>
    if (!required) return null
  } catch (error) {
    throw new CronwrapError('CANNOT_READ', `the schema ${path} cannot be read: ${messageOf(error)}`, { cause: error })
  }
  throw new CronwrapError('CANNOT_READ', `the schema ${path} does not exist`)
}

/** A CommonJS package that is its own default export, or not, depending on who bundles it. */
function addFormats(module: unknown, ajv: object): void {
  let add = module
  while (typeof add !== 'function') add = (add as { default: unknown }).default
  add(ajv)
}
