import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** A path that stands in cronwrap.json: relative to the base directory, whoever looks from wherever; `~/` is the user's home. */
export function settingPath(base: string, path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(base, path)
}
