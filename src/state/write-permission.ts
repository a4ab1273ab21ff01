import { CronwrapError } from '../errors.ts'

/**
 * The main process writes state, jobs only read it: inside a wrapped job (`CRONWRAP_RUN_ID` is set) nothing is
 * written unless the job was started with `--allow-state-write`.
 */
export function mayWrite(env: NodeJS.ProcessEnv): boolean {
  return env['CRONWRAP_RUN_ID'] === undefined || /^(?:1|true|yes|on)$/i.test(env['CRONWRAP_ALLOW_STATE_WRITE'] ?? '')
}

/** @throws CronwrapError `NOT_ALLOWED` */
export function requireWriter(env: NodeJS.ProcessEnv, what: string): void {
  if (mayWrite(env)) return
  throw new CronwrapError(
    'NOT_ALLOWED',
    `the job ${env['CRONWRAP_JOB_ID'] ?? ''} may not ${what}: jobs only read state`,
    {
      hint: 'let the main process write it, or start the job with --allow-state-write',
    },
  )
}
