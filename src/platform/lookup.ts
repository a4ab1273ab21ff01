import * as dns from 'node:dns'
import type { LookupAddress, Resolver } from 'node:dns'
import * as fs from 'node:fs'
import type { LookupFunction } from 'node:net'
import { errnoOf } from '../errors.ts'
import { schedule } from './clock.ts'

/** With addresses of one kind in hand, those of the other are waited for no longer than this. */
const OTHER_FAMILY_MS = 200

/**
 * Looks up hosts for a socket, and can be called off. What the system offers (getaddrinfo) cannot, and an exit waits for
 * it: ten seconds where the name servers do not answer. So it is asked only for names that /etc/hosts has, and for
 * those that the name servers do not know.
 * @param resolver used for one lookup at a time; how long it waits for a name server is its own
 */
export function cancellableLookup(resolver: Resolver, signal: AbortSignal): LookupFunction {
  return (host, options, callback) => {
    const askSystem = (): void => dns.lookup(host, options, callback)
    if (isInHostsFile(host)) return askSystem()
    const addresses: LookupAddress[] = []
    let unanswered: Error | null = null
    let pending = 2
    let stopWaiting: (() => void) | null = null
    // What is still asked is then answered with ECANCELLED.
    const callOff = (): void => resolver.cancel()
    const finish = (): void => {
      stopWaiting?.()
      signal.removeEventListener('abort', callOff)
      const [first] = addresses.sort((a, b) => a.family - b.family)
      if (first === undefined) return unanswered === null ? askSystem() : callback(unanswered, [])
      if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    }
    const note = (family: 4 | 6) => (error: Error | null, found: readonly string[]) => {
      pending -= 1
      if (error === null) addresses.push(...found.map((address) => ({ address, family })))
      else if (['ETIMEOUT', 'ECANCELLED'].includes(errnoOf(error) ?? '')) unanswered = error
      if (pending === 0) finish()
      else if (addresses.length > 0) stopWaiting = schedule(callOff, OTHER_FAMILY_MS)
    }
    signal.addEventListener('abort', callOff)
    resolver.resolve4(host, note(4))
    resolver.resolve6(host, note(6))
  }
}

function isInHostsFile(host: string): boolean {
  try {
    const lines = fs.readFileSync('/etc/hosts', 'utf8').toLowerCase().split('\n')
    return lines.some((line) => line.replace(/#.*/, '').split(/\s+/).slice(1).includes(host.toLowerCase()))
  } catch {
    return false
  }
}
