import type { Home } from '../config/base-directory.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import { deriveAlerts } from '../record/alerts.ts'
import type { NotificationCleared } from '../record/notification-event.ts'
import { failingChannels, waitsFor, type FailingChannel } from '../record/failing-channel.ts'
import { foldIntoViews, publish, publishAll, type PublishOptions } from '../record/publish.ts'
import { readSummary } from '../record/read-records.ts'
import { decideNotifications } from './decide-notifications.ts'
import { deliverNotifications } from './deliver-notifications.ts'
import { readNotifyConfig } from './notify-config.ts'

export interface NotifyOptions {
  readonly now: () => Date
  /** Asked before each attempt: leave the rest for the next invocation. */
  readonly hurry: () => boolean
  /** Wait for those who write the views; what is decided and sent is in the journal either way. */
  readonly waitsForViews?: boolean
}

/**
 * Tells whoever cronwrap.json names of alerts that opened, grew or are over: decides, records the
 * decisions, and sends what is pending, of this time and of earlier ones.
 * @returns what is wrong with the settings, one sentence each
 * @throws when nothing can be recorded: then nobody is told, for it might be told again and again
 */
export async function notify(
  home: Home,
  { now, hurry, waitsForViews = true }: NotifyOptions,
): Promise<readonly string[]> {
  const config = readNotifyConfig(home.config)
  const publishing: PublishOptions = { now, ...(waitsForViews ? {} : { hurry: () => true }) }
  const channels = failingChannels(readSummary(home))
  const removed = channels.filter(({ target }) => config.isUsable && !config.names.has(target))
  if (removed.length > 0)
    await publishAll(
      home,
      removed.map((channel) => cleared(channel, now())),
      publishing,
    )
  const summary = readSummary(home)
  const decided = decideNotifications(summary, deriveAlerts(summary, now()), config, now(), newRunId)
  if (decided.length > 0) await publishAll(home, decided, publishing)
  if ([...readSummary(home).values()].some(({ notifications }) => notifications.length > 0)) {
    await deliverNotifications({ home, config, now, hurry })
    await foldIntoViews(home, publishing)
  }
  return config.problems
}

/**
 * Records that a target works: whatever it did not take before is no alert any more, and what waits for it can be sent.
 * @throws when it cannot be recorded
 */
export async function noteThatTargetWorks(home: Home, target: string, now: Date): Promise<void> {
  const known = [...readSummary(home)].find(
    ([, { failing_targets: failing, notifications }]) =>
      failing.some((each) => each.target === target) || notifications.some((each) => waitsFor(each, target)),
  )
  if (known !== undefined) await publish(home, cleared({ job: known[0], target }, now))
}

function cleared({ job, target }: Pick<FailingChannel, 'job' | 'target'>, now: Date): NotificationCleared {
  return { type: 'notification.cleared', id: newRunId(), time: toLocalIso(now, 'milliseconds'), job, target }
}
