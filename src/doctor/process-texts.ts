import * as fs from 'node:fs'
import { listDirectory } from '../platform/list-directory.ts'

/** The command lines of the processes here, as far as /proc shows them. */
export function listProcessTexts(): string[] {
  return listDirectory('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return [] // It has ended.
      }
    })
}
