import { formatExactDuration } from '../platform/duration.ts'
import { field, listIn, numberField, textField } from './openclaw-cli.ts'

/** What cronwrap looks at of an OpenClaw job, whichever version wrote it. */
export interface OpenclawJob {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  /** Null when it has no regular times, or runs at those only that a script of it chooses. */
  readonly schedule: OpenclawSchedule | null
  /** `command`, `agentTurn`, `systemEvent`, `script`, … */
  readonly payload: string
  readonly argv: readonly string[]
  readonly message: string
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string | null
  readonly timeoutSeconds: number | null
  readonly delivery: {
    /** `none`, `announce` or `webhook`. */
    readonly mode: string
    readonly channel: string | null
    readonly to: string | null
    readonly accountId: string | null
    readonly bestEffort: boolean
  }
  /** Somebody is told when it fails: an alert, a failure destination, or the chat that gets its messages. */
  readonly hasFailureRoute: boolean
  /** Why OpenClaw disabled it by itself; null when it did not. */
  readonly autoDisabled: string | null
  /** How the notice of the last failure fared, where there was one. */
  readonly failureNotice: string | null
  /** When it is to run next; null when it is not. */
  readonly nextRunMs: number | null
  /** Since when it runs; null when it does not. */
  readonly runningSinceMs: number | null
}

/** When OpenClaw starts a job. */
export interface OpenclawSchedule {
  /** A cron expression, or `every 30m`. */
  readonly expression: string
  readonly tz: string | null
  /** How much later it may start, by OpenClaw's own doing. */
  readonly staggerMs: number
}

/** OpenClaw gives these to a command and a turn of an agent that name no timeout. */
const DEFAULT_TIMEOUT_SECONDS: Record<string, number> = { command: 600, agentTurn: 3600, script: 300 }

/** Null for what is no job. Versions to 2026.1.30 keep the delivery in the payload. */
export function readJob(value: unknown): OpenclawJob | null {
  const id = textField(value, 'id') ?? textField(value, 'jobId')
  if (id === null) return null
  const payload = field(value, 'payload')
  const delivery = field(value, 'delivery') ?? payload
  const autoDisabled = objectField(value, 'state', 'autoDisabled')
  const target = readDelivery(delivery)
  return {
    id,
    name: textField(value, 'name') ?? id,
    enabled: field(value, 'enabled') !== false,
    schedule: objectField(value, 'trigger') === null ? readSchedule(field(value, 'schedule')) : null,
    payload: textField(payload, 'kind') ?? 'unknown',
    argv: listIn(field(payload, 'argv')).flatMap((word) =>
      ['string', 'number'].includes(typeof word) ? [String(word)] : [],
    ),
    message: textField(payload, 'message') ?? textField(payload, 'text') ?? '',
    env: readEnv(field(payload, 'env')),
    cwd: textField(payload, 'cwd'),
    timeoutSeconds: numberField(payload, 'timeoutSeconds'),
    delivery: target,
    hasFailureRoute: hasFailureRoute(value, target),
    autoDisabled: autoDisabled === null ? null : (textField(autoDisabled, 'reason') ?? 'unknown'),
    nextRunMs: numberField(value, 'state', 'nextRunAtMs'),
    runningSinceMs: numberField(value, 'state', 'runningAtMs'),
    failureNotice: textField(value, 'state', 'lastFailureNotificationDeliveryStatus'),
  }
}

/** How long OpenClaw lets it run, in seconds; null for ever. */
export function effectiveTimeoutSeconds({ timeoutSeconds, payload }: OpenclawJob): number | null {
  const seconds = timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS[payload] ?? null
  return seconds === 0 ? null : seconds
}

function readSchedule(value: unknown): OpenclawSchedule | null {
  const staggerMs = Math.max(0, numberField(value, 'staggerMs') ?? 0)
  const kind = textField(value, 'kind')
  const expr = textField(value, 'expr')
  const everyMs = Math.round(numberField(value, 'everyMs') ?? 0)
  if (kind === 'cron' && expr !== null) return { expression: expr, tz: textField(value, 'tz'), staggerMs }
  if (kind !== 'every' || everyMs <= 0) return null
  return { expression: `every ${formatExactDuration(everyMs)}`, tz: null, staggerMs }
}

function readDelivery(value: unknown): OpenclawJob['delivery'] {
  const old = field(value, 'deliver')
  const mode = textField(value, 'mode') ?? (old === undefined ? null : old === true ? 'announce' : 'none')
  return {
    mode: mode ?? (textField(value, 'channel') === null && textField(value, 'to') === null ? 'none' : 'announce'),
    channel: textField(value, 'channel'),
    to: textField(value, 'to') ?? numberField(value, 'to')?.toString() ?? null,
    accountId: textField(value, 'accountId'),
    bestEffort: field(value, 'bestEffort') === true || field(value, 'bestEffortDeliver') === true,
  }
}

function hasFailureRoute(job: unknown, { mode, to }: OpenclawJob['delivery']): boolean {
  const alert = field(job, 'failureAlert')
  if (alert === false) return false
  const routes = [objectField(job, 'failureAlert'), objectField(job, 'delivery', 'failureDestination')]
  return routes.some((route) => route !== null) || mode === 'webhook' || (mode === 'announce' && to !== null)
}

function objectField(value: unknown, ...path: readonly string[]): object | null {
  const found = field(value, ...path)
  return typeof found === 'object' ? found : null
}

function readEnv(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : [])),
  )
}

/** How OpenClaw declares the jobs that it makes for itself. */
const OPENCLAWS_OWN = /^(?:memory-core|skill-collection-review|heartbeat)[:-]/

/** The jobs in an answer of `cron list`, or in a jobs file of any version. OpenClaw's own are left out. */
export function readJobs(value: unknown): OpenclawJob[] {
  return listIn(value, 'jobs')
    .filter((job) => !OPENCLAWS_OWN.test(textField(job, 'declarationKey') ?? ''))
    .map(readJob)
    .filter((job) => job !== null)
    .filter(({ payload }) => payload !== 'heartbeat')
}
