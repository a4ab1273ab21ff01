import { hostname } from 'node:os'
import type { Home } from '../config/base-directory.ts'
import { isCritical, lookCommand } from '../record/alerts.ts'
import { logPath } from '../record/execution-log.ts'
import type { NotificationStep, ToldAlert } from '../record/notification-event.ts'
import { printable } from '../record/outcome-text.ts'

export type Severity = 'critical' | 'warning' | 'ok'

/** What a target gets, whatever its form: the alert as JSON. */
export interface Message {
  /** The same for each attempt, so that a receiver can tell what came twice. */
  readonly id: string
  readonly event: NotificationStep | 'test'
  readonly severity: Severity
  readonly job: string
  /** `consecutive_failures`, `missed`, … as in cron-alerts.json. */
  readonly kind: string
  /** One line for people. */
  readonly title: string
  /** Some lines for people, without the title. */
  readonly text: string
  readonly message: string
  readonly count: number
  readonly since: string
  /** When it was decided that somebody is to be told. */
  readonly time: string
  readonly last_error: string | null
  readonly run_id: string | null
  readonly host: string
  readonly log: string
}

export interface ToldStepOfJob {
  readonly id: string
  readonly job: string
  readonly step: NotificationStep | 'test'
  readonly alert: ToldAlert
  readonly time: string
}

export function messageOfStep(home: Home, { id, job, step, alert, time }: ToldStepOfJob): Message {
  const severity: Severity = step === 'recovered' ? 'ok' : isCritical(alert.kind) ? 'critical' : 'warning'
  const log = logPath(home, job)
  const host = hostname()
  const look = lookCommand(job, step === 'recovered' ? { ...alert, kind: step } : alert)
  const lines = [
    ...(alert.last_error === null ? [] : [`last error: ${printable(alert.last_error)}`]),
    `${step === 'recovered' ? 'it began' : 'since'} ${alert.since}, on ${host}`,
    ...(step === 'test' ? [] : [`look: ${look}`]),
  ]
  return {
    id,
    event: step,
    severity,
    job,
    kind: alert.kind,
    title: titleOf(job, step, alert),
    text: lines.join('\n'),
    message: alert.message,
    count: alert.count,
    since: alert.since,
    time,
    last_error: alert.last_error,
    run_id: alert.run_id,
    host,
    log,
  }
}

function titleOf(job: string, step: ToldStepOfJob['step'], { message }: ToldAlert): string {
  if (step === 'test') return `${job}: ${message}`
  if (step === 'recovered') return `${job} ${printable(message)}`
  return `${job}: ${printable(message)}`
}

/** A sample for `cronwrap notify test`. */
export function sampleMessage(home: Home, id: string, time: string): Message {
  const message = 'this is a test of cronwrap, nothing is wrong'
  const alert = { kind: 'test', since: time, message, last_error: null, run_id: null, count: 1 }
  return messageOfStep(home, { id, job: 'example', step: 'test', alert, time })
}
