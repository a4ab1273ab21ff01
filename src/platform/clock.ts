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

/** setTimeout takes 25 days at most, and fires at once for more. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** setTimeout for any time. @returns what cancels it */
export function schedule(action: () => void, delayMs: number): () => void {
  let timer: NodeJS.Timeout
  const arm = (leftMs: number): void => {
    timer = setTimeout(
      () => (leftMs > MAX_TIMER_MS ? arm(leftMs - MAX_TIMER_MS) : action()),
      Math.min(leftMs, MAX_TIMER_MS),
    )
  }
  arm(delayMs)
  return () => clearTimeout(timer)
}

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => schedule(resolve, durationMs))
}
