import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../src/platform/duration.ts'
import { formatSize, parseSize } from '../../src/platform/size.ts'

test.each([
  ['180s', 180_000],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
  ['1.5h', 5_400_000],
  ['2 minutes', 120_000],
  ['1d', 86_400_000],
  ['0', 0],
])('the duration %s is %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

test.each(['', '5', '5 minuts', 'm', '-5s', '1h 3', 's5', '1h30', '∞', '1e3s', 'NaNs'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(/is not a duration/)
})

test('a duration is read back as it is printed, within its last unit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400 * 86_400_000 }), (ms) => {
      const printed = formatDuration(ms)
      const unit = /([a-z]+)$/.exec(printed)?.[1] ?? ''
      const unitMs = { ms: 1, s: ms < 60_000 ? 100 : 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 0
      expect(Math.abs(parseDuration(printed) - ms)).toBeLessThan(unitMs)
      expect(formatDuration(parseDuration(printed))).toBe(printed)
    }),
  )
})

test.each([
  ['10MiB', 10_485_760],
  ['512k', 524_288],
  ['1.5GB', 1_500_000_000],
  ['4096', 4096],
  ['0', 0],
  ['3 B', 3],
])('the size %s is %i bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes))

test.each(['', 'big', '-1', '1TB?', '1 2', '0x10', '1e400'])('%j is no size', (text) => {
  expect(() => parseSize(text)).toThrow(/is not a size/)
})

test('a size is read back as it is printed, within its last digit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 42 }), (bytes) => {
      const printed = formatSize(bytes)
      expect(Math.abs(parseSize(printed) - bytes)).toBeLessThanOrEqual(Math.max(1, bytes * 0.06))
      expect(formatSize(parseSize(printed))).toBe(printed)
    }),
  )
})
