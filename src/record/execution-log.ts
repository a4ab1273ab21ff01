import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { errnoOf } from '../errors.ts'
import { appendDurably, openForAppend } from '../platform/append-file.ts'
import { temporaryPath } from '../platform/atomic-file.ts'
import { toWholeSeconds } from '../platform/clock.ts'
import { withFileLock } from '../platform/file-lock.ts'
import type { Delivery, RunFinished } from './event.ts'
import { describeDuration, describeEnd, quoteCommand } from './outcome-text.ts'
import { bytesOf, lengthOfPieces, loggedStream, printedBytes, type LoggedSpool, type Piece } from './logged-output.ts'
import { readAttemptEnd, type AttemptEnd } from './spool.ts'
import type { StreamName } from './spooled-stream.ts'

/** A log is closed at this size, give or take the entries of runs that end at the same moment … */
export const LOG_MAX_BYTES: number = 10 * 1024 * 1024
/** … and this many closed ones are kept beside it, `{job}.log.1` the newest. */
export const LOGS_KEPT = 5

const LINK_TRIES = 5
const ROTATE_BUDGET_MS = 1_000

export function logPath(home: Home, job: string): string {
  return join(home.logs, `${job}.log`)
}

/** The log of a job and its closed predecessors that exist, oldest first. */
export function logPaths(home: Home, job: string): string[] {
  const open = logPath(home, job)
  const closed = Array.from({ length: LOGS_KEPT }, (_, index) => `${open}.${LOGS_KEPT - index}`)
  return [...closed, open].filter((path) => fs.existsSync(path))
}

/** Appends a run's entry, its output taken from the spool. */
export async function appendRunEntry(home: Home, event: RunFinished, spool: LoggedSpool | null): Promise<void> {
  await append(home, event.job, formatEntry(event, spool))
}

/** Notes a delivery under the run's entry, where people look for it. */
export async function appendDeliveryNote(home: Home, delivery: Delivery): Promise<void> {
  const details = [
    `message_id=${word(delivery.message_id)}`,
    ...(delivery.run_id === null ? [] : [`run=${delivery.run_id}`]),
    ...(delivery.channel === null ? [] : [`channel=${word(delivery.channel)}`]),
    ...(delivery.error === null ? [] : [`error=${JSON.stringify(delivery.error)}`]),
  ]
  await append(home, delivery.job, [
    `--- DELIVERY ${toWholeSeconds(delivery.time)} ${delivery.status} ${details.join(' ')} ---\n`,
  ])
}

function formatEntry(event: RunFinished, spool: LoggedSpool | null): Piece[] {
  const pieces: Piece[] = [
    `=== ${toWholeSeconds(event.started)} ${event.job} run=${event.run_id} ===\n`,
    `COMMAND: ${quoteCommand(event.command)}\n`,
    `STATUS: ${event.status} (${describeEnd(event)})${event.attempts > 1 ? ` after ${event.attempts} attempts` : ''}\n`,
    `DURATION: ${describeDuration(event.duration_ms)}\n`,
    ...(spool?.redactor.problems ?? []).map((problem) => `NOTE: ${problem}\n`),
    ...(event.output_held ? ['NOTE: a process left behind held the output open; reading stopped\n'] : []),
  ]
  for (let attempt = 1; attempt <= event.attempts; attempt++) {
    const end = spool === null ? null : readAttemptEnd(spool.directory, attempt)
    if (event.attempts > 1) pieces.push(attemptMark(attempt, end ?? event))
    pieces.push(...section(event, spool, attempt, 'stdout'), ...section(event, spool, attempt, 'stderr'))
  }
  return [...pieces, `=== END ${event.run_id} ===\n`]
}

function attemptMark(
  attempt: number,
  end: Pick<AttemptEnd, 'reason'> & { exit_code: number | null; signal: string | null },
): string {
  return `--- ATTEMPT ${attempt}: ${describeEnd(end)} ---\n`
}

function section(event: RunFinished, spool: LoggedSpool | null, attempt: number, name: StreamName): Piece[] {
  const { size, pieces } = loggedStream(spool, attempt, name, printedBytes(event, name))
  return [`--- ${name.toUpperCase()} (${size}) ---\n`, ...pieces]
}

/**
 * Appends with one write, so that entries of runs that end together never mix. An entry that is
 * larger than a whole log becomes a log of its own: it is written to a file in small pieces and
 * linked into place, which keeps our memory small whatever `--max-output` says.
 */
async function append(home: Home, job: string, pieces: readonly Piece[]): Promise<void> {
  const path = logPath(home, job)
  const length = lengthOfPieces(pieces)
  const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size > 0 && size + length > LOG_MAX_BYTES) await rotate(path, size)
  if (length > LOG_MAX_BYTES) return appendAsOwnFile(path, pieces)
  const { fd } = openForAppend(path, { create: true })
  try {
    appendDurably(
      fd,
      pieces.flatMap((piece) => [...bytesOf(piece)]),
    )
  } finally {
    fs.closeSync(fd)
  }
}

/** Closes the log unless another run has just done so. Without the lock the log only grows longer. */
async function rotate(path: string, sizeSeen: number): Promise<void> {
  await withFileLock(
    path,
    () => {
      const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (size < sizeSeen) return
      for (let number = LOGS_KEPT; number > 1; number--) {
        if (fs.existsSync(`${path}.${number - 1}`)) fs.renameSync(`${path}.${number - 1}`, `${path}.${number}`)
      }
      fs.renameSync(path, `${path}.1`)
    },
    { budgetMs: ROTATE_BUDGET_MS },
  )
}

async function appendAsOwnFile(path: string, pieces: readonly Piece[]): Promise<void> {
  const temporary = temporaryPath(path)
  try {
    const fd = fs.openSync(temporary, 'wx', 0o600)
    try {
      for (const piece of pieces) for (const bytes of bytesOf(piece)) fs.writeFileSync(fd, bytes)
      fs.fdatasyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    for (let tries = 1; ; tries++) {
      try {
        fs.linkSync(temporary, path)
        return
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST' || tries === LINK_TRIES) throw error
        await rotate(path, 0)
      }
    }
  } finally {
    fs.rmSync(temporary, { force: true })
  }
}

/** Quoted only where it would not read as one word. */
function word(text: string): string {
  return /^[^\s"\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text)
}
