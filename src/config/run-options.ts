export const TEE_MODES = ['both', 'stdout', 'stderr', 'none', 'on-failure'] as const
export type TeeMode = (typeof TEE_MODES)[number]

export const OVERLAP_MODES = ['allow', 'skip', 'wait', 'replace'] as const
export type OverlapMode = (typeof OVERLAP_MODES)[number]

/** How a job is run and recorded, complete: every option has its value. */
export interface RunOptions {
  /** Working directory of the job; null is ours. */
  readonly cwd: string | null
  /** Limit of each attempt; null is none. */
  readonly timeoutMs: number | null
  /** From TERM to KILL after the timeout. */
  readonly killAfterMs: number
  /** How long output is still read after the job's own end, when something it left holds the pipe. */
  readonly drainMs: number
  /** Which of the job's streams pass through. */
  readonly tee: TeeMode
  readonly onFailureLine: boolean
  readonly overlap: OverlapMode
  readonly skipExitCode: number
  readonly retries: number
  /** Before the first retry; doubles with each. */
  readonly retryDelayMs: number
  /** The start is put off by up to this much, the same for each run of a job on a host. */
  readonly jitterMs: number
  /** Output kept per stream and attempt; of more, the first and last halves. */
  readonly maxOutputBytes: number
  /** Failures in a row that make an alert. */
  readonly alertAfter: number
  /** Whether a message follows each success; null means: if one ever has. */
  readonly expectDelivery: boolean | null
  readonly deliveryGraceMs: number
  /** Exit codes that count as success and are returned as 0. */
  readonly okCodes: readonly number[]
  /** The job may write shared state, which is otherwise for the main process only. */
  readonly allowStateWrite: boolean
  /** Regular expressions of what is hidden in the record; of one with groups only the groups. */
  readonly redact: readonly string[]
  /** Well-known shapes of secrets are not looked for. */
  readonly noRedact: boolean
  /** When the job is due: see `JobSchedule`; null is not said. */
  readonly schedule: string | null
  /** IANA time zone of the schedule; null is the machine's. */
  readonly tz: string | null
  /** How late a run may begin before it is missed. */
  readonly graceMs: number
  /** A run that goes on for longer is slow; null: three times the longest of the last 20, at least five minutes. */
  readonly slowAfterMs: number | null
  /** Where a monitoring server hears of the start and the end; null is nowhere. */
  readonly ping: string | null
  /** What the pings of a run may add to its time. */
  readonly pingTimeoutMs: number
}
