import fs from 'fs-extra'
import type { Rig } from './rig.ts'

/** Reads both views over and over, leaving the processors to others, until told to stop, which tells how often; every look must find whole JSON. */
export function watchViews(rig: Rig): { stop: () => Promise<number> } {
  let stopped = false
  let looks = 0
  const watching = (async () => {
    while (!stopped) {
      for (const view of [rig.home.summary, rig.home.alerts]) {
        if (fs.existsSync(view)) JSON.parse(fs.readFileSync(view, 'utf8'))
      }
      looks += 1
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await watching
      return looks
    },
  }
}
