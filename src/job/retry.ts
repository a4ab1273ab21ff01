const MAX_DELAY_MS = 60 * 60_000

/**
 * Wait before the attempt after attempt number `attempt` (from 1): doubles each time, at most an
 * hour, and varies by a quarter so that jobs that failed together do not retry together.
 */
export function retryDelayMs(attempt: number, firstDelayMs: number, random: () => number): number {
  const exponential = Math.min(firstDelayMs * 2 ** (attempt - 1), Math.max(MAX_DELAY_MS, firstDelayMs))
  return Math.round(exponential * (0.75 + 0.5 * random()))
}
