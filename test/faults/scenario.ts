/** What one scenario may depend on: with the same seed it does the same. */
export interface Context {
  readonly random: () => number
  /** Every point, and not only those that differ most. */
  readonly soak: boolean
}

export interface Outcome {
  /** How often something was broken on purpose. */
  readonly faults: number
  /** What the record should hold and does not, one sentence each, with how to see it again. */
  readonly lost: readonly string[]
}

export interface Scenario {
  readonly name: string
  /** Why it cannot run on this machine; null when it can. */
  readonly unavailable?: () => string | null
  /** Left to a soak: the others cover most of it, and the regular run must stay short. */
  readonly isLong?: boolean
  readonly run: (context: Context) => Promise<Outcome>
}

/** Does the work for each item, a few at a time. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T)
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}

/** A scenario of cases that each break one thing. */
export async function eachCase<T>(
  cases: readonly T[],
  width: number,
  describe: (item: T) => string,
  lostIn: (item: T) => Promise<readonly string[]>,
): Promise<Outcome> {
  const lost = await inParallel(cases, width, async (item) => {
    const found = await lostIn(item).catch((error: unknown) => [String(error)])
    return found.map((text) => `${describe(item)}: ${text}`)
  })
  return { faults: cases.length, lost: lost.flat() }
}
