import { messageOf } from '../errors.ts'
import type { JobSpec } from './job-spec.ts'
import type { Pings } from './ping.ts'
import type { SignalRelay } from './signals.ts'

/** Does something with the pings of a run. @returns what went wrong, never as an error */
export type Ping = (act: (pings: Pings) => Promise<string | null> | void) => Promise<string | null>

/** Without `--ping` nothing happens. What sends pings is loaded for the first one: by then the job runs. */
export function openPings({ options }: JobSpec, runId: string, { interrupted }: SignalRelay): Ping {
  const { ping: url, pingTimeoutMs: timeoutMs } = options
  if (url === null) return () => Promise.resolve(null)
  let loading: Promise<Pings> | null = null
  const load = async (): Promise<Pings> => {
    const { Pings } = await import('./ping.ts')
    return new Pings({ url, runId, timeoutMs, interrupted, random: Math.random })
  }
  return async (act) => {
    try {
      loading ??= load()
      return (await act(await loading)) ?? null
    } catch (error) {
      return `the run could not be pinged: ${messageOf(error)}`
    }
  }
}
