import { toLocalIso } from '../platform/clock.ts'
import type { Alert } from '../record/alerts.ts'
import { failingChannels, type FailingChannel } from '../record/failing-channel.ts'
import type { NotificationDecided, NotificationStep, ToldAlert } from '../record/notification-event.ts'
import type { ToldStep } from '../record/pending-notification.ts'
import { describeDuration, describeEnd } from '../record/outcome-text.ts'
import type { SummaryEntry } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import type { NotifyConfig } from './notify-config.ts'

/**
 * What is to be told now: alerts that have opened, that have grown to a further step (3, 10, 30, 100,
 * …), that are over. The same step of the same alert is told once; between two notifications of a
 * kind lies the cooldown, but for the news that it is over. Pure.
 */
export function decideNotifications(
  summary: Summary,
  alerts: readonly Alert[],
  config: Pick<NotifyConfig, 'targetsOf' | 'names' | 'cooldownMs' | 'expiresMs'>,
  now: Date,
  newId: () => string,
): NotificationDecided[] {
  const channels = failingChannels(summary)
  return [...summary].flatMap(([job, entry]) => {
    const open = alerts.filter((alert) => alert.job_id === job)
    const kinds = new Set([...open, ...entry.told].map(({ kind }) => kind))
    return [...kinds].flatMap((kind): NotificationDecided[] => {
      const alert = open.find((each) => each.kind === kind)
      const last = entry.told.find((each) => each.kind === kind)
      const step = alert === undefined ? recovery(entry, last) : nextStep(alert, last, config.cooldownMs, now)
      if (step === null) return []
      const targets = step.step === 'recovered' ? whoWasTold(config, last) : audience(config, job, kind, channels)
      if (targets.length === 0) return []
      const expires = toLocalIso(new Date(now.getTime() + config.expiresMs))
      const time = toLocalIso(now, 'milliseconds')
      return [{ type: 'notification', id: newId(), time, job, after: last?.id ?? null, ...step, targets, expires }]
    })
  })
}

/** A channel does not hear of its own trouble; all others do whose jobs it hears of. */
function audience(
  { targetsOf }: Pick<NotifyConfig, 'targetsOf'>,
  job: string,
  kind: string,
  channels: readonly FailingChannel[],
): string[] {
  if (kind !== 'notification_failed') return [...targetsOf(job)]
  const deaf = channels.map(({ target }) => target)
  const ours = channels.filter((channel) => channel.job === job).flatMap(({ jobs }) => jobs)
  return [...new Set(ours.flatMap(targetsOf))].filter((target) => !deaf.includes(target))
}

/** Who heard of the alert hears of its end. */
function whoWasTold({ names }: Pick<NotifyConfig, 'names'>, last: ToldStep | undefined): string[] {
  return (last?.targets ?? []).filter((target) => names.has(target))
}

interface Step {
  readonly step: NotificationStep
  readonly level: number
  readonly alert: ToldAlert
}

function nextStep(alert: Alert, last: ToldStep | undefined, cooldownMs: number, now: Date): Step | null {
  const sinceToldMs = now.getTime() - Date.parse(last?.time ?? '')
  // Told in the future: by a clock that was wrong.
  const cools = sinceToldMs >= 0 && sinceToldMs < cooldownMs
  if (alert.acknowledged || cools) return null
  const { kind, since, message, last_error, run_id, count } = alert
  const told = { kind, since, message, last_error, run_id, count }
  const level = levelOf(count)
  // Where nobody took what was told it is still to be told.
  if (last === undefined || last.step === 'recovered' || last.since !== since || last.targets.length === 0)
    return { step: 'opened', level, alert: told }
  return level > last.level ? { step: 'grown', level, alert: told } : null
}

function recovery(entry: SummaryEntry, last: ToldStep | undefined): Step | null {
  if (last === undefined || last.step === 'recovered') return null
  const { kind, since, level } = last
  const run_id = endedSince(entry, since) ? entry.last_run_id : null
  const alert = { kind, since, message: howItEnded(entry, last), last_error: null, run_id, count: 0 }
  return { step: 'recovered', level, alert }
}

/** What follows the name of the job. */
function howItEnded(entry: SummaryEntry, { kind, since }: ToldStep): string {
  const { last_reason: reason, last_exit_code: exit_code, last_signal: signal, last_delivery: delivery } = entry
  const stillFails = kind === 'consecutive_failures' && entry.last_status !== 'success'
  if (kind === 'notification_failed') return 'notifications arrive again'
  if (kind === 'delivery_failed' || kind === 'undelivered')
    return delivery === null ? 'owes no message any more' : `has a delivery again: ${delivery.status}`
  if (reason === null || !endedSince(entry, since)) return kind === 'missed' ? 'is not due any more' : 'is well again'
  const end = `${describeEnd({ reason, exit_code, signal })} after ${describeDuration(entry.last_duration_ms)}`
  // Its threshold was raised.
  if (stillFails) return `is no alert any more, but still fails: ${end}`
  return `${ENDED[kind] ?? 'is well again'}: ${end}`
}

const ENDED: Record<string, string> = {
  consecutive_failures: 'succeeds again',
  missed: 'runs again',
  slow: 'has ended',
}

function endedSince({ last_finished: finished }: SummaryEntry, since: string): boolean {
  return finished !== null && Date.parse(finished) >= Date.parse(since)
}

/** The largest of 1, 3, 10, 30, 100, … that has been reached. */
export function levelOf(count: number): number {
  let level = 1
  while (nextLevel(level) <= count) level = nextLevel(level)
  return level
}

function nextLevel(level: number): number {
  return String(level).startsWith('3') ? (level / 3) * 10 : level * 3
}
