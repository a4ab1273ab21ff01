import { formatTable } from '../../src/cli/output.ts'

export interface Budget {
  readonly text: string
  readonly kept: boolean
}

/** One line of the table; a line that is nothing but `what` is a heading. */
export interface Row {
  readonly what: string
  readonly result?: string
  /** Time in relation to the first line below the heading. */
  readonly ratio?: number
  readonly budget?: Budget
}

const MIB = 1024 * 1024

export const budget = {
  // As it is printed: 1.50 is not over 1.50.
  atMostRatio: (ratio: number, limit: number): Budget => ({
    text: `<= ${limit.toFixed(2)}`,
    kept: Number(ratio.toFixed(2)) <= limit,
  }),
  belowMib: (bytes: number, limit: number): Budget => ({ text: `< ${limit} MiB`, kept: bytes < limit * MIB }),
  none: (count: number): Budget => ({ text: '0', kept: count === 0 }),
}

export function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`
}

export async function formatRows(rows: readonly Row[]): Promise<string> {
  const cells = rows.map(({ what, result, ratio, budget: limit }) => [
    result === undefined ? what : `  ${what}`,
    result ?? '',
    ratio?.toFixed(2) ?? '',
    limit?.text ?? '',
    limit === undefined ? '' : limit.kept ? 'ok' : 'over',
  ])
  return formatTable([['', 'result', 'ratio', 'budget', ''], ...cells])
}
