import { constants } from 'node:os'
import type { RunReason, RunStatus } from '../record/event.ts'

/** What the system told about the end of one attempt. */
export type AttemptExit =
  | { readonly kind: 'exited'; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: 'not-started'; readonly reason: 'not-found' | 'not-executable'; readonly detail: string }

export interface OutcomeFacts {
  readonly exit: AttemptExit
  readonly timedOut: boolean
  /** The first signal sent to us that asks a job to end. */
  readonly interruptedBy: NodeJS.Signals | null
  readonly okCodes: readonly number[]
}

export interface Outcome {
  readonly status: RunStatus
  readonly reason: RunReason
  /** What the record says: the job's own code, 128+n for a signal, 124, 126 or 127. */
  readonly exitCode: number
  /** What cronwrap returns: the same, but 0 for a success. */
  readonly returnCode: number
  readonly signal: string | null
}

const TIMEOUT_CODE = 124
const NOT_EXECUTABLE_CODE = 126
const NOT_FOUND_CODE = 127

/** The verdict on one attempt. Codes as in env(1), timeout(1) and the shell. */
export function decideOutcome({ exit, timedOut, interruptedBy, okCodes }: OutcomeFacts): Outcome {
  if (exit.kind === 'not-started') {
    return failure(exit.reason, exit.reason === 'not-found' ? NOT_FOUND_CODE : NOT_EXECUTABLE_CODE, null)
  }
  if (timedOut) return failure('timeout', TIMEOUT_CODE, exit.signal)
  if (exit.signal !== null) {
    return failure(interruptedBy === null ? 'signal' : 'interrupted', 128 + signalNumber(exit.signal), exit.signal)
  }
  const code = exit.code ?? 0
  if (okCodes.includes(code)) return { status: 'success', reason: 'exit', exitCode: code, returnCode: 0, signal: null }
  return failure(interruptedBy === null ? 'exit' : 'interrupted', code, interruptedBy)
}

/** A job that catches TERM and exits 0 has done what it was asked; that is no failure. */
function failure(reason: RunReason, exitCode: number, signal: string | null): Outcome {
  // A code that --ok-codes leaves out may be 0: it is a failure, so it must not be returned as success.
  return { status: 'error', reason, exitCode, returnCode: exitCode === 0 ? 1 : exitCode, signal }
}

export function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal]
}
