import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { openForAppend } from '../platform/append-file.ts'
import { toLocalIso } from '../platform/clock.ts'
import { makeDirectory } from '../platform/make-directory.ts'

const MAX_BYTES = 1024 * 1024

/** One line in `logs/cronwrap.log`: trouble that must not disturb whoever met it. At 1 MiB it begins anew, the old one kept as `.1`. */
export function noteProblem(home: Home, problem: string): void {
  try {
    makeDirectory(home.logs)
    const path = join(home.logs, 'cronwrap.log')
    if ((fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_BYTES) fs.renameSync(path, `${path}.1`)
    const { fd } = openForAppend(path, { create: true })
    fs.writeSync(fd, `${toLocalIso(new Date())} ${problem.replaceAll('\n', ' ')}\n`)
    fs.closeSync(fd)
  } catch {
    // There is nowhere left to say it.
  }
}
