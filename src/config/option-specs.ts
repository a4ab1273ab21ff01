import { parseDuration } from '../platform/duration.ts'
import { parseSize } from '../platform/size.ts'
import {
  exitCodes,
  httpUrl,
  oneOf,
  regularExpressions,
  schedule,
  text,
  timeZone,
  wholeNumber,
  yesOrNo,
} from './option-value.ts'
import { OVERLAP_MODES, TEE_MODES, type RunOptions } from './run-options.ts'

export interface OptionSpec<K extends keyof RunOptions = keyof RunOptions> {
  readonly key: K
  /** What stands after the flag in the help; null for a flag that needs no value. */
  readonly placeholder: string | null
  readonly description: string
  readonly fallback: RunOptions[K]
  /** @throws CronwrapError `BAD_VALUE` saying what was expected */
  readonly parse: (text: string) => RunOptions[K]
  /**
   * Its values add up, from every place that names some, instead of the strongest place counting alone.
   * A text holds one value a line.
   */
  readonly addsUp?: boolean
  /** What a bad value outside the command line stands for, and in words; without it, such a value is ignored. */
  readonly whenBad?: { readonly value: RunOptions[K]; readonly means: string }
}

function option<K extends keyof RunOptions>(spec: OptionSpec<K>): OptionSpec {
  return spec
}

/** By flag name. The environment's `CRONWRAP_KILL_AFTER` and the file's `kill_after` are the same option as `--kill-after`. */
export const RUN_OPTIONS: ReadonlyMap<string, OptionSpec> = new Map([
  [
    'cwd',
    option({
      key: 'cwd',
      placeholder: '<dir>',
      description: "The job's working directory",
      fallback: null,
      parse: text,
    }),
  ],
  [
    'timeout',
    option({
      key: 'timeoutMs',
      placeholder: '<duration>',
      description: 'TERM the job and its descendants after this long, with exit code 124 (0: never)',
      fallback: null,
      parse: parseDuration,
    }),
  ],
  [
    'kill-after',
    option({
      key: 'killAfterMs',
      placeholder: '<duration>',
      description: 'KILL what is left this long after the timeout (10s)',
      fallback: 10_000,
      parse: parseDuration,
    }),
  ],
  [
    'drain',
    option({
      key: 'drainMs',
      placeholder: '<duration>',
      description: 'Read on this long when a process left behind holds the output (2s)',
      fallback: 2_000,
      parse: parseDuration,
    }),
  ],
  [
    'tee',
    option({
      key: 'tee',
      placeholder: '<which>',
      description: `What passes through: ${TEE_MODES.join(', ')} (both)`,
      fallback: 'both',
      parse: oneOf(TEE_MODES),
    }),
  ],
  [
    'on-failure-line',
    option({
      key: 'onFailureLine',
      placeholder: null,
      description: 'Print one line on stdout when the job failed',
      fallback: false,
      parse: yesOrNo,
    }),
  ],
  [
    'overlap',
    option({
      key: 'overlap',
      placeholder: '<mode>',
      description: `While another run is going: ${OVERLAP_MODES.join(', ')} (allow)`,
      fallback: 'allow',
      parse: oneOf(OVERLAP_MODES),
    }),
  ],
  [
    'skip-exit-code',
    option({
      key: 'skipExitCode',
      placeholder: '<code>',
      description: 'Exit code of a run that --overlap skipped (75)',
      fallback: 75,
      parse: wholeNumber(0, 255),
    }),
  ],
  [
    'retries',
    option({
      key: 'retries',
      placeholder: '<n>',
      description: 'Run a failed job again, up to n times (0)',
      fallback: 0,
      parse: wholeNumber(0, 1000),
    }),
  ],
  [
    'retry-delay',
    option({
      key: 'retryDelayMs',
      placeholder: '<duration>',
      description: 'Wait before the first retry; doubles with each (5s)',
      fallback: 5_000,
      parse: parseDuration,
    }),
  ],
  [
    'jitter',
    option({
      key: 'jitterMs',
      placeholder: '<duration>',
      description: 'Start up to this much later, always the same for a host and job',
      fallback: 0,
      parse: parseDuration,
    }),
  ],
  [
    'max-output',
    option({
      key: 'maxOutputBytes',
      placeholder: '<size>',
      description: 'Keep this much of each stream; of more, the first and last halves (10MiB)',
      fallback: 10 * 1024 * 1024,
      parse: parseSize,
    }),
  ],
  [
    'alert-after',
    option({
      key: 'alertAfter',
      placeholder: '<n>',
      description: 'Failures in a row that make an alert (3)',
      fallback: 3,
      parse: wholeNumber(1, 1_000_000),
    }),
  ],
  [
    'expect-delivery',
    option({
      key: 'expectDelivery',
      placeholder: null,
      description:
        'A message follows each success: alert when none is recorded (after the first one that is; --no-expect-delivery: never)',
      fallback: null,
      parse: yesOrNo,
    }),
  ],
  [
    'delivery-grace',
    option({
      key: 'deliveryGraceMs',
      placeholder: '<duration>',
      description: 'How long that message may take (10m)',
      fallback: 10 * 60_000,
      parse: parseDuration,
    }),
  ],
  [
    'ok-codes',
    option({
      key: 'okCodes',
      placeholder: '<list>',
      description: 'Exit codes that count as success and are returned as 0 (0); of 0,3 a 3 too',
      fallback: [0],
      parse: exitCodes,
    }),
  ],
  [
    'allow-state-write',
    option({
      key: 'allowStateWrite',
      placeholder: null,
      description: 'Let the job write shared state, which it may otherwise only read',
      fallback: false,
      parse: yesOrNo,
    }),
  ],
  [
    'redact',
    option({
      key: 'redact',
      placeholder: '<regex>',
      description: 'Hide what it matches, or its groups, in the record; may be given several times',
      fallback: [],
      parse: regularExpressions,
      addsUp: true,
      // Nobody knows what it was to hide.
      whenBad: { value: ['[^]+'], means: 'everything is hidden in the record' },
    }),
  ],
  [
    'no-redact',
    option({
      key: 'noRedact',
      placeholder: null,
      description: 'Do not look for well-known tokens and passwords, which are hidden as well',
      fallback: false,
      parse: yesOrNo,
    }),
  ],
  [
    'schedule',
    option({
      key: 'schedule',
      placeholder: '<when>',
      description: 'When it is due, as "0 9 * * *", @daily or "every 30m"; check tells what was missed',
      fallback: null,
      parse: schedule,
    }),
  ],
  [
    'tz',
    option({
      key: 'tz',
      placeholder: '<zone>',
      description: "Time zone of the schedule, as Europe/Berlin (the machine's)",
      fallback: null,
      parse: timeZone,
    }),
  ],
  [
    'grace',
    option({
      key: 'graceMs',
      placeholder: '<duration>',
      description: 'How late a run may begin before it is missed (10m)',
      fallback: 10 * 60_000,
      parse: parseDuration,
    }),
  ],
  [
    'slow-after',
    option({
      key: 'slowAfterMs',
      placeholder: '<duration>',
      description: 'A run that goes on for longer is slow (3 times the longest of the last 20, at least 5m; 0: never)',
      fallback: null,
      parse: parseDuration,
    }),
  ],
  [
    'ping',
    option({
      key: 'ping',
      placeholder: '<url>',
      description: 'Tell a monitoring server of the start and the end, as healthchecks does',
      fallback: null,
      parse: httpUrl,
    }),
  ],
  [
    'ping-timeout',
    option({
      key: 'pingTimeoutMs',
      placeholder: '<duration>',
      description: "How long pings may go on after the job's end (10s)",
      fallback: 10_000,
      parse: parseDuration,
    }),
  ],
])

export const DEFAULT_RUN_OPTIONS: RunOptions = Object.fromEntries(
  [...RUN_OPTIONS.values()].map(({ key, fallback }) => [key, fallback]),
) as unknown as RunOptions
