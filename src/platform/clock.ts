/**
 * A time as ISO 8601 with the local offset, e.g. `2026-05-26T12:00:10+08:00`.
 * People read these files where the jobs run, so local time; the offset keeps them unambiguous.
 */
export function toLocalIso(time: Date, precision: 'seconds' | 'milliseconds' = 'seconds'): string {
  const offsetMinutes = -time.getTimezoneOffset()
  const local = new Date(time.getTime() + offsetMinutes * 60_000).toISOString()
  const sign = offsetMinutes < 0 ? '-' : '+'
  const hours = twoDigits(Math.floor(Math.abs(offsetMinutes) / 60))
  const minutes = twoDigits(Math.abs(offsetMinutes) % 60)
  return `${local.slice(0, precision === 'seconds' ? 19 : 23)}${sign}${hours}:${minutes}`
}

/** The same time without its milliseconds; input and output are ISO 8601 with an offset. */
export function toWholeSeconds(iso: string): string {
  return iso.replace(/\.\d+(?=[+-]|Z$)/, '')
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

/** Milliseconds on a clock that no correction of the time moves; `performance.now` would load six of Node's modules. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
