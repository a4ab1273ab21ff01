import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../errors.ts'

/**
 * Makes a directory and its parents, private to the user (0700). An existing one is left as it is.
 * Not `mkdirSync` with `recursive`: below /proc, where mkdir fails with ENOENT for ever, that never returns.
 */
export function makeDirectory(path: string): void {
  try {
    fs.mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    makeDirectory(dirname(path))
    fs.mkdirSync(path, { mode: 0o700 })
  }
}
