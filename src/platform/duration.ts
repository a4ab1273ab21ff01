import ms from 'ms'
import { CronwrapError } from '../errors.ts'

const PART = /(\d+(?:\.\d+)?)\s*([a-z]+)\s*/giy

/**
 * Reads a duration as people write it: `180s`, `5m`, `1h30m`, `250ms`. A bare number is refused,
 * because seconds and milliseconds are both in use for it; only `0` needs no unit.
 * @returns whole milliseconds
 * @throws CronwrapError `BAD_VALUE`
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim()
  if (trimmed === '0') return 0
  let total = 0
  let end = 0
  PART.lastIndex = 0
  for (let part = PART.exec(trimmed); part !== null; part = PART.exec(trimmed)) {
    const value = ms(`${part[1]}${part[2]}` as ms.StringValue)
    if (value === undefined) throw notADuration(text)
    total += value
    end = PART.lastIndex
  }
  if (end === 0 || end !== trimmed.length || !Number.isSafeInteger(Math.round(total))) throw notADuration(text)
  return Math.round(total)
}

/** A duration in the form `parseDuration` reads: `812ms`, `12.3s`, `5m`, `2h5m`, `3d4h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`
  if (durationMs < 59_950) return `${Number((durationMs / 1000).toFixed(1))}s`
  const minutes = Math.floor(Math.round(durationMs / 1000) / 60)
  if (minutes < 60) return twoUnits(minutes, 'm', Math.round(durationMs / 1000) % 60, 's')
  if (minutes < 24 * 60) return twoUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'm')
  return twoUnits(Math.floor(minutes / 1440), 'd', Math.floor((minutes % 1440) / 60), 'h')
}

/** A duration in whole milliseconds to the letter: `30m`, where that is all of it, else `1800001ms`. */
export function formatExactDuration(durationMs: number): string {
  const text = formatDuration(durationMs)
  return parseDuration(text) === durationMs ? text : `${durationMs}ms`
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`
}

function notADuration(text: string): CronwrapError {
  return new CronwrapError('BAD_VALUE', `"${text}" is not a duration`, {
    hint: 'write it with a unit: 30s, 5m or 1h30m',
  })
}
