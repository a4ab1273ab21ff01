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
import type { Cut, Redactor } from './redact.ts'
import { redactedPieces, type KeptPart } from './redacted-output.ts'
import { readAttemptEnd, type AttemptEnd } from './spool.ts'
import {
  keptOutput,
  lengthOf,
  omissionLine,
  readExtent,
  type Extent,
  type KeptOutput,
  type StreamName,
} from './spooled-stream.ts'

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

/** Where a run's output is, and what must not get into the log. */
export interface LoggedSpool {
  readonly directory: string
  readonly maxBytes: number
  readonly redactor: Redactor
}

/** A piece of an entry: text, or output that stays in its files until it is copied. */
type Piece = string | KeptPart

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
  const printed = event.attempts > 1 ? 0 : name === 'stdout' ? event.stdout_bytes : event.stderr_bytes
  const kept = spool === null ? NOTHING : keptOutput(spool.directory, attempt, name, spool.maxBytes)
  const head = lengthOf(kept.head)
  const tail = lengthOf(kept.tail)
  // More was printed than the spool holds when the limit is 0 or the disk was full.
  const total = Math.max(printed, kept.totalBytes)
  const omitted = total - head - tail
  const size = omitted === 0 ? `${total} bytes` : `${total} bytes: first ${head} and last ${tail} kept`
  const part = (extents: readonly Extent[], cut: Cut): Piece[] =>
    spool === null || extents.length === 0 ? [] : [{ extents, redactor: spool.redactor, cut }]
  return [
    `--- ${name.toUpperCase()} (${size}) ---\n`,
    ...part(kept.head, { before: false, after: omitted > 0 }),
    ...(endsLine(kept.head) ? [] : ['\n']),
    ...(omitted === 0 ? [] : [omissionLine(omitted)]),
    ...part(kept.tail, { before: true, after: false }),
    ...(endsLine(kept.tail) ? [] : ['\n']),
  ]
}

const NOTHING: KeptOutput = { totalBytes: 0, omittedBytes: 0, head: [], tail: [] }

function endsLine(extents: readonly Extent[]): boolean {
  const last = extents.filter((extent) => extent.length > 0).at(-1)
  if (last === undefined) return true
  return readExtent({ ...last, start: last.start + last.length - 1, length: 1 })[0] === 0x0a
}

/**
 * Appends with one write, so that entries of runs that end together never mix. An entry that is
 * larger than a whole log becomes a log of its own: it is written to a file in small pieces and
 * linked into place, which keeps our memory small whatever `--max-output` says.
 */
async function append(home: Home, job: string, pieces: readonly Piece[]): Promise<void> {
  const path = logPath(home, job)
  const length = pieces.reduce(
    (sum, piece) => sum + (typeof piece === 'string' ? Buffer.byteLength(piece) : lengthOf(piece.extents)),
    0,
  )
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

function* bytesOf(piece: Piece): Generator<Buffer> {
  if (typeof piece === 'string') yield Buffer.from(piece)
  else yield* redactedPieces(piece)
}

/** Quoted only where it would not read as one word. */
function word(text: string): string {
  return /^[^\s"\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text)
}
