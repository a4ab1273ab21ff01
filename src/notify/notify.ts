import type { Home } from '../config/base-directory.ts'
import { deriveAlerts } from '../record/alerts.ts'
import { foldIntoViews, publishAll } from '../record/publish.ts'
import { readSummary } from '../record/read-records.ts'
import { decideNotifications } from './decide-notifications.ts'
import { deliverNotifications } from './deliver-notifications.ts'
import { readNotifyConfig } from './notify-config.ts'

export interface NotifyOptions {
  readonly now: () => Date
  /** Asked before each attempt: leave the rest for the next invocation. */
  readonly hurry: () => boolean
}

/**
 * Tells whoever cronwrap.json names of alerts that opened, grew or are over: decides, records the
 * decisions, and sends what is pending, of this time and of earlier ones.
 * @returns what is wrong with the settings, one sentence each
 * @throws when nothing can be recorded: then nobody is told, for it might be told again and again
 */
export async function notify(home: Home, { now, hurry }: NotifyOptions): Promise<readonly string[]> {
  const config = readNotifyConfig(home.config)
  const summary = readSummary(home)
  const decided = decideNotifications(summary, deriveAlerts(summary, now()), config, now())
  if (decided.length > 0) await publishAll(home, decided, { now, hurry })
  if ([...readSummary(home).values()].some(({ notifications }) => notifications.length > 0)) {
    await deliverNotifications({ home, config, now, hurry })
    await foldIntoViews(home, { now, hurry })
  }
  return config.problems
}
