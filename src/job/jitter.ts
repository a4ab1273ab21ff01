/**
 * How long this job waits on this host before it starts: from 0 up to, not including, `maxMs`.
 * Always the same for the same two names (FNV-1a, 32 bits), so that a fleet spreads out and yet each
 * job keeps its rhythm.
 */
export function jitterDelayMs(host: string, job: string, maxMs: number): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(`${host}\0${job}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  }
  // FNV's high bits hardly move between short names; mixing them down spreads those too.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0
  return Math.floor((hash / 2 ** 32) * maxMs)
}
