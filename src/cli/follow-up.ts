import type { Home } from '../config/base-directory.ts'
import { readConfigFile } from '../config/config-file.ts'
import { messageOf } from '../errors.ts'
import { monotonicMs } from '../platform/clock.ts'
import type { Problem } from '../check/check.ts'

/** For what a job may call: inside a run its wrapper follows up, once the job has ended. */
export async function followUpOutsideRuns(home: Home): Promise<void> {
  if (process.env['CRONWRAP_RUN_ID'] === undefined) await followUp(home)
}

/**
 * What cronwrap.json asks for once something is on record: notifications and metrics. Nothing of it
 * is loaded where it does not. Never throws.
 * @param budgetMs no new attempt to notify begins later than this
 * @returns what went wrong
 */
export async function followUp(home: Home, budgetMs: number = Infinity): Promise<Problem[]> {
  const { root } = readConfigFile(home.config, [])
  const startedAt = monotonicMs()
  const problems: string[] = []
  // Where there are no targets any more, what failed to reach them is over.
  if ('notify' in root || budgetMs === Infinity) {
    try {
      const { notify } = await import('../notify/notify.ts')
      const hurry = (): boolean => monotonicMs() - startedAt > budgetMs
      const waitsForViews = budgetMs === Infinity
      problems.push(...(await notify(home, { now: () => new Date(), hurry, waitsForViews })))
    } catch (error) {
      problems.push(`nobody could be notified: ${messageOf(error)}`)
    }
  }
  if ('metrics' in root) {
    try {
      const [{ readMetricsConfig }, { writeMetrics }] = await Promise.all([
        import('../metrics/metrics-config.ts'),
        import('../metrics/write-metrics.ts'),
      ])
      const { out, problems: wrong } = readMetricsConfig(home)
      problems.push(...wrong)
      if (out !== null) writeMetrics(home, out, new Date())
    } catch (error) {
      problems.push(messageOf(error))
    }
  }
  return problems.map((text) => ({ job: null, text }))
}
