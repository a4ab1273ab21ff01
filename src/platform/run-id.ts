import { v7 } from 'uuid'

/**
 * A new UUID, version 7: sorts by time. The chance is Math.random's, which is seeded by the system
 * per process: ids must be unique, not secret, and loading node:crypto would cost each run 3 ms.
 */
export function newRunId(): string {
  return v7({ random: Uint8Array.from({ length: 16 }, () => Math.floor(Math.random() * 256)) })
}

/** The form of `newRunId`, so that an id from outside can be used in a file name. */
export function isRunId(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text)
}

/** When an id was made, in milliseconds since 1970; null for one that is not of `newRunId`. */
export function runIdMadeMs(id: string): number | null {
  return isRunId(id) ? Number.parseInt(id.slice(0, 13).replace('-', ''), 16) : null
}
