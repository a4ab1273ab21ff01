import type { Home } from '../config/base-directory.ts'
import { sleep } from '../platform/clock.ts'
import { readState } from '../state/state-store.ts'
import { print } from './output.ts'

/** Reading is cheap, and file system events do not come from all the ways in which a file is replaced. */
const POLL_MS = 100

/** Prints the state now and on every change, one line of JSON each, until interrupted; `null` when there is none. */
export async function watchState(home: Home, name: string): Promise<never> {
  let shown: string | null = null
  for (;;) {
    const line = JSON.stringify(await readState(name, { home: home.base, strict: true }))
    if (line !== shown) print(line)
    shown = line
    await sleep(POLL_MS)
  }
}
