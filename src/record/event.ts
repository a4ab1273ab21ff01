import { isId } from '../config/job-id.ts'
import {
  isCount,
  isListOf,
  isMissingOr,
  isNullOr,
  isObject,
  isOneOf,
  isText,
  isTextOrNull,
  isTime,
} from '../platform/field.ts'
import type { EventBase } from './event-base.ts'
import {
  isNotificationEvent,
  type NotificationAttempt,
  type NotificationCleared,
  type NotificationDecided,
  type NotificationOutcome,
} from './notification-event.ts'

export type RunStatus = 'success' | 'error'

/** How a run ended, in one word; `exit` is a job that ended by itself. */
export const RUN_REASONS = ['exit', 'signal', 'timeout', 'not-found', 'not-executable', 'interrupted', 'lost'] as const
export type RunReason = (typeof RUN_REASONS)[number]

export const DELIVERY_STATUSES = ['sent', 'delivered', 'failed', 'skipped'] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/** A run ended, in whatever way. Its event id is the run id: a run ends once. */
export interface RunFinished extends EventBase {
  readonly type: 'run.finished'
  readonly run_id: string
  readonly started: string
  /** By the monotonic clock; null when nobody saw the end. */
  readonly duration_ms: number | null
  readonly status: RunStatus
  readonly reason: RunReason
  /** The job's own code, 128+n for a signal, 124, 126 or 127; null when nobody saw the end. */
  readonly exit_code: number | null
  readonly signal: string | null
  readonly attempts: number
  /** At most 4 KiB of it. */
  readonly command: readonly string[]
  readonly stdout_bytes: number
  readonly stderr_bytes: number
  /** The last words of a failed run. */
  readonly last_error: string | null
  /** A process left behind still held the output when reading stopped. */
  readonly output_held: boolean
  readonly alert_after: number
  /** Null: the job never said; it is expected once a delivery has been recorded. */
  readonly expects_delivery: boolean | null
  readonly delivery_grace_ms: number
  readonly host: string
  /** When the job is due, if the run said so. */
  readonly schedule?: JobSchedule | null
  /** Time on the processor, of the job and of those of its descendants that ended before it; null where the system does not tell. */
  readonly cpu_ms?: number | null
  /** Of a run whose end nobody saw: when it was last seen to be alive. */
  readonly last_seen?: string
  /** The most that was seen; null for a run too short to look at, or where the system does not tell. */
  readonly max_memory_bytes?: number | null
}

/** When a job is due. */
export interface JobSchedule {
  /** A cron expression of five to seven fields, `@daily` and the like, several of these with `;` between them, or `every 30m`. */
  readonly expression: string
  /** An IANA time zone; null is the machine's. */
  readonly tz: string | null
  /** How late a run may begin. */
  readonly grace_ms: number
}

/** Whether both name the same times; how late a run may be is another question. */
export function isSameTimes(
  a: Pick<JobSchedule, 'expression' | 'tz'>,
  b: Pick<JobSchedule, 'expression' | 'tz'>,
): boolean {
  return a.expression === b.expression && a.tz === b.tz
}

/** Who says when a job is due: its runs, cronwrap.json, what `schedule import` found, or `schedule set`. */
export const SCHEDULE_SOURCES = ['run', 'config', 'import', 'command'] as const
export type ScheduleSource = (typeof SCHEDULE_SOURCES)[number]

/** A run that did not start because the previous one was still going. */
export interface RunSkipped extends EventBase {
  readonly type: 'run.skipped'
  readonly running_run_id: string
}

/** The job's message was sent, or was not. */
export interface Delivery extends EventBase {
  readonly type: 'delivery'
  readonly run_id: string | null
  readonly message_id: string
  readonly status: DeliveryStatus
  readonly channel: string | null
  readonly error: string | null
}

/** The job is no more: nothing of it is known from here on. */
export interface JobForgotten extends EventBase {
  readonly type: 'job.forgotten'
}

/** When the job is due from now on; null: nobody knows any more. */
export interface ScheduleSet extends EventBase {
  readonly type: 'schedule.set'
  readonly schedule: JobSchedule | null
  readonly source: Exclude<ScheduleSource, 'run'>
  /** The crontab it was imported from, where that alone was looked at. */
  readonly file?: string
  /** A run was in progress: its end is still to come, and what it said at its start is older than this. */
  readonly running?: boolean
}

/** Times at which the job was due and did not start. */
export interface RunMissed extends EventBase {
  readonly type: 'run.missed'
  /** The last time that had been missed before these: the event counts only where that and `last_run` are still so. */
  readonly after: string | null
  /** The last run that had ended, as in the summary. */
  readonly last_run: string | null
  /** The last of these times. */
  readonly until: string
  readonly count: number
  /** At most the last 20 of them. */
  readonly due: readonly string[]
  /** How many lie after the start of that run, and the first of those. */
  readonly in_a_row: number
  readonly in_a_row_since: string | null
}

/** A run goes on for far longer than those before it. */
export interface RunSlow extends EventBase {
  readonly type: 'run.slow'
  readonly run_id: string
  readonly started: string
  readonly limit_ms: number
}

/** A run that was slow is no more, and nothing is left that could say how it ended. */
export interface RunVanished extends EventBase {
  readonly type: 'run.vanished'
  readonly run_id: string
}

/** Somebody knows about the job's present alerts. */
export interface AlertAcknowledged extends EventBase {
  readonly type: 'alert.acknowledged'
  readonly alerts: readonly KnownAlert[]
}

/** One alert: another of its kind, that began at another time, is news. */
export interface KnownAlert {
  readonly kind: string
  readonly since: string
}

export type JobEvent =
  | RunFinished
  | RunSkipped
  | RunMissed
  | RunSlow
  | RunVanished
  | Delivery
  | AlertAcknowledged
  | JobForgotten
  | ScheduleSet
  | NotificationDecided
  | NotificationAttempt
  | NotificationOutcome
  | NotificationCleared

/** One JSON line of the journal. */
export function serializeEvent(event: JobEvent): Buffer {
  return Buffer.from(`${JSON.stringify(event)}\n`)
}

/**
 * Reads one line; null for anything that is not an event of ours with every field we use,
 * so that the fold never meets half of one.
 */
export function parseEvent(line: string): JobEvent | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null // A torn or foreign line; readers count it and go on.
  }
  if (typeof value !== 'object' || value === null) return null
  const event = value as Record<string, unknown>
  const common = isText(event['id']) && isTime(event['time']) && isText(event['job']) && isId(event['job'])
  return common && hasFieldsOfItsType(event) ? (value as JobEvent) : null
}

function hasFieldsOfItsType(event: Record<string, unknown>): boolean {
  switch (event['type']) {
    case 'run.finished':
      return (
        isText(event['run_id']) &&
        isTime(event['started']) &&
        isOneOf(['success', 'error'], event['status']) &&
        isOneOf(RUN_REASONS, event['reason']) &&
        (event['duration_ms'] === null || isCount(event['duration_ms'])) &&
        (event['exit_code'] === null || isCount(event['exit_code'])) &&
        isTextOrNull(event['signal']) &&
        isTextOrNull(event['last_error']) &&
        isCount(event['attempts']) &&
        isListOf(event['command'], isText) &&
        isCount(event['stdout_bytes']) &&
        isCount(event['stderr_bytes']) &&
        isCount(event['alert_after']) &&
        isCount(event['delivery_grace_ms']) &&
        isOneOf([true, false, null], event['expects_delivery']) &&
        isMissingOr(isScheduleOrNull, event['schedule']) &&
        isMissingOr(isCountOrNull, event['cpu_ms']) &&
        isMissingOr(isTime, event['last_seen']) &&
        isMissingOr(isCountOrNull, event['max_memory_bytes'])
      )
    case 'run.skipped':
      return isText(event['running_run_id'])
    case 'delivery':
      return (
        isTextOrNull(event['run_id']) &&
        isText(event['message_id']) &&
        isOneOf(DELIVERY_STATUSES, event['status']) &&
        isTextOrNull(event['error'])
      )
    case 'alert.acknowledged':
      return isListOf(event['alerts'], isKnownAlert)
    case 'job.forgotten':
      return true
    case 'run.missed':
      return (
        [event['after'], event['last_run'], event['in_a_row_since']].every((time) => isNullOr(isTime, time)) &&
        isTime(event['until']) &&
        isCount(event['count']) &&
        isCount(event['in_a_row']) &&
        isListOf(event['due'], isTime)
      )
    case 'run.slow':
      return isText(event['run_id']) && isTime(event['started']) && isCount(event['limit_ms'])
    case 'run.vanished':
      return isText(event['run_id'])
    case 'schedule.set':
      return (
        isScheduleOrNull(event['schedule']) &&
        isOneOf(SCHEDULE_SOURCES, event['source']) &&
        isMissingOr(isText, event['file']) &&
        isOneOf([true, false, undefined], event['running'])
      )
    default:
      return isNotificationEvent(event)
  }
}

export function isSchedule(value: unknown): value is JobSchedule {
  return isObject(value) && isText(value['expression']) && isTextOrNull(value['tz']) && isCount(value['grace_ms'])
}

export function isKnownAlert(value: unknown): value is KnownAlert {
  return isObject(value) && isText(value['kind']) && isTime(value['since'])
}

function isScheduleOrNull(value: unknown): boolean {
  return isNullOr(isSchedule, value)
}

function isCountOrNull(value: unknown): boolean {
  return isNullOr(isCount, value)
}
