import pc from 'picocolors'
import { formatDuration } from '../platform/duration.ts'

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** `1 job`, `2 jobs`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

/** Colours for a person at a terminal; NO_COLOR and FORCE_COLOR as usual. */
export function createColors(): ReturnType<typeof pc.createColors> {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env
  const wanted = FORCE_COLOR !== undefined && FORCE_COLOR !== '0' ? true : process.stdout.isTTY && TERM !== 'dumb'
  return pc.createColors(wanted && !NO_COLOR)
}

/** `5m ago`, from two times. */
export function describeAge(iso: string, now: Date): string {
  const ageMs = now.getTime() - Date.parse(iso)
  return ageMs < 1000 ? 'just now' : `${atAGlance(ageMs)} ago`
}

/** `in 5m`, or `5m ago` for a time that is over. */
export function describeDistance(time: Date, now: Date): string {
  const aheadMs = time.getTime() - now.getTime()
  if (aheadMs >= 0 && aheadMs < 1000) return 'now'
  return aheadMs < 0 ? describeAge(time.toISOString(), now) : `in ${atAGlance(aheadMs)}`
}

/** One unit is enough: 3d4h is 3d. */
function atAGlance(durationMs: number): string {
  const text = formatDuration(Math.floor(durationMs / 1000) * 1000)
  return /^\d+[a-z]+/.exec(text)?.[0] ?? text
}

/** Columns by display width, East Asian characters counted as two; the first row is the heading. */
export async function formatTable(rows: readonly (readonly string[])[]): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const none = ''
  const table = new Table({
    chars: {
      top: none,
      'top-mid': none,
      'top-left': none,
      'top-right': none,
      bottom: none,
      'bottom-mid': none,
      'bottom-left': none,
      'bottom-right': none,
      left: none,
      'left-mid': none,
      mid: none,
      'mid-mid': none,
      right: none,
      'right-mid': none,
      middle: '  ',
    },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  table.push(...rows.map((row) => [...row]))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
