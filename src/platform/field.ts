/** What a field that was read from a file must be; JSON of anybody's making. */
export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

export function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value)
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

export function isTime(value: unknown): value is string {
  return isText(value) && !Number.isNaN(Date.parse(value))
}

export function isListOf(value: unknown, isElement: (element: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isElement)
}

export function isOneOf(choices: readonly unknown[], value: unknown): boolean {
  return choices.includes(value)
}

/** A field that events and views of older versions do not have. */
export function isMissingOr(isValid: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || isValid(value)
}

export function isNullOr(isValid: (value: unknown) => boolean, value: unknown): boolean {
  return value === null || isValid(value)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
