import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../errors.ts'

/**
 * Makes a directory and its parents, private to the user (0700). An existing one is left as it is.
 * Not `mkdirSync` with `recursive`: below /proc, where mkdir fails with ENOENT for ever, that never returns.
 */
export function makeDirectory(path: string): void {
  if (makeOne(path)) return
  if (dirname(path) !== path) makeDirectory(dirname(path))
  if (!makeOne(path)) fs.mkdirSync(path) // It cannot be made, and this says why.
}

/** False when its parent is missing. Another run may make it at the same moment; that is as good. */
function makeOne(path: string): boolean {
  try {
    fs.mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    if (errnoOf(error) !== 'EEXIST') throw error
  }
  return true
}
