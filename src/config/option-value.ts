import { CronwrapError, messageOf } from '../errors.ts'
import { parseDuration } from '../platform/duration.ts'

/** What a text given for an option means; each throws a CronwrapError `BAD_VALUE` that says what was expected. */
export function text(value: string): string {
  if (value !== '') return value
  throw new CronwrapError('BAD_VALUE', 'the value is empty')
}

/** What is given for a flag, read. @throws CronwrapError `BAD_VALUE` that names the flag */
export function flagValue<T>(name: string, given: string, parse: (value: string) => T): T {
  try {
    return parse(given)
  } catch (error) {
    if (!(error instanceof CronwrapError)) throw error
    const colon = error.message.startsWith('"') ? '' : ':'
    const hint = error.hint === undefined ? {} : { hint: error.hint }
    throw new CronwrapError('BAD_VALUE', `--${name}${colon} ${error.message}`, hint)
  }
}

export function yesOrNo(value: string): boolean {
  if (/^(?:true|yes|on|1)$/i.test(value)) return true
  if (/^(?:false|no|off|0)$/i.test(value)) return false
  throw new CronwrapError('BAD_VALUE', `"${value}" is neither true nor false`)
}

export function oneOf<T extends string>(choices: readonly T[]): (value: string) => T {
  return (value) => {
    const choice = choices.find((each) => each === value)
    if (choice !== undefined) return choice
    throw new CronwrapError('BAD_VALUE', `"${value}" is none of ${choices.join(', ')}`)
  }
}

/** A parser of whole decimal numbers from `least` to `most`. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN
    if (number >= least && number <= most) return number
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} on` : `${least} to ${most}`
    throw new CronwrapError('BAD_VALUE', `"${value}" is not a whole number from ${range}`)
  }
}

export function regularExpressions(value: string): string[] {
  if (value === '\0') throw new CronwrapError('BAD_VALUE', 'it is no list of regular expressions')
  const patterns = value.split('\n').filter((pattern) => pattern !== '')
  for (const pattern of patterns) {
    try {
      void new RegExp(pattern)
    } catch (error) {
      // Not the pattern itself: it may be the secret, and warnings are mailed.
      const reason = messageOf(error).split(': ').at(-1) ?? ''
      throw new CronwrapError('BAD_VALUE', `the value is no regular expression: ${reason}`)
    }
  }
  return patterns
}

const NICKNAMES = ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually']

/** Between several times of one job: `0 9 * * *; 30 17 * * 5`. */
export const SCHEDULE_SEPARATOR = ';'

/** By its shape only: what reads it for good takes a while to load, and the job comes first. */
export function schedule(value: string): string {
  const parts = value.split(SCHEDULE_SEPARATOR)
  if (parts.length > 1 && parts.some((part) => part.trim().startsWith('every ')))
    throw new CronwrapError('BAD_VALUE', `"${value}" is not a schedule: "every" stands alone`)
  return parts.map(oneSchedule).join(`${SCHEDULE_SEPARATOR} `)
}

function oneSchedule(value: string): string {
  const trimmed = value.trim().replaceAll(/\s+/g, ' ')
  if (trimmed.startsWith('every ')) {
    if (parseDuration(trimmed.slice('every '.length)) > 0) return trimmed
  } else if (NICKNAMES.includes(trimmed.toLowerCase())) return trimmed.toLowerCase()
  else if (/^(?:[\d*/,?LW#+a-z-]+ ){4,6}[\d*/,?LW#+a-z-]+$/i.test(trimmed)) return withFieldsInRange(trimmed)
  throw new CronwrapError('BAD_VALUE', `"${value}" is not a schedule`, {
    hint: 'write it as "0 9 * * *", @daily or "every 30m"',
  })
}

/** Of seconds, minutes, hours, days, months and days of the week; a year is not limited. */
const FIELD_RANGES = [
  [0, 59],
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const

function withFieldsInRange(expression: string): string {
  const fields = expression.split(' ')
  const ranges = FIELD_RANGES.slice(fields.length === 5 ? 1 : 0)
  for (const [index, [least, most]] of ranges.entries()) {
    const numbers = (fields[index] ?? '').split(',').flatMap((part) => part.split('/')[0]?.split('-') ?? [])
    const wrong = numbers.find((each) => /^\d+$/.test(each) && (Number(each) < least || Number(each) > most))
    if (wrong !== undefined)
      throw new CronwrapError(
        'BAD_VALUE',
        `"${expression}" is not a schedule: ${wrong} is not from ${least} to ${most}`,
      )
  }
  return expression
}

export function timeZone(value: string): string {
  if (/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(value)) return value
  throw new CronwrapError('BAD_VALUE', `"${value}" is not a time zone`, { hint: 'write it as Europe/Berlin or UTC' })
}

export function httpUrl(value: string): string {
  // No new URL here: it may hold a secret, which its error message would show.
  if (/^https?:\/\/[^\s/]+/i.test(value) && URL.canParse(value)) return value
  throw new CronwrapError('BAD_VALUE', 'the value is not an http or https URL')
}

export function exitCodes(value: string): number[] {
  return value.split(',').map((code) => wholeNumber(0, 255)(code.trim()))
}
