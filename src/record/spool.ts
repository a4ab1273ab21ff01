import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { isId } from '../config/job-id.ts'
import { errnoOf } from '../errors.ts'
import { readBounded } from '../platform/atomic-file.ts'
import { openForAppend } from '../platform/append-file.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { ownIdentity, type ProcessIdentity } from '../platform/process-identity.ts'
import { isRunId } from '../platform/run-id.ts'
import { isCount, isListOf, isNullOr, isText, isTextOrNull, isTime } from '../platform/field.ts'
import { isSchedule, parseEvent, type JobSchedule, type RunFinished, type RunReason } from './event.ts'
import { SpooledStream, type StreamName } from './spooled-stream.ts'

/** The first line of `run.json`: what a later invocation must know of a run whose wrapper is gone. */
export interface RunManifest extends ProcessIdentity {
  readonly run_id: string
  readonly job: string
  readonly command: readonly string[]
  readonly started: string
  readonly max_output: number
  readonly alert_after: number
  readonly expects_delivery: boolean | null
  readonly delivery_grace_ms: number
  readonly redact: readonly string[]
  readonly no_redact: boolean
  readonly schedule: JobSchedule | null
  /** Longer than this is slow; null: measured by the runs before it. */
  readonly slow_after_ms: number | null
}

/** How an attempt that was followed by another one ended. */
export interface AttemptEnd {
  readonly reason: RunReason
  readonly exit_code: number
  readonly signal: string | null
  readonly duration_ms: number
}

/** How often a wrapper shows that it is alive to those who cannot see its process. */
export const HEARTBEAT_MS = 60_000

const MAX_MANIFEST_BYTES = 1024 * 1024

/**
 * The record of a run that is still going: `logs/.running/<run id>/` with `run.json`, the output
 * as it comes, and `signal`. Everything is written synchronously, so that what the
 * job printed is with the kernel before it is passed on, and a KILL of ours loses none of it.
 */
export class Spool {
  readonly directory: string
  readonly manifest: RunManifest

  private constructor(directory: string, manifest: RunManifest) {
    this.directory = directory
    this.manifest = manifest
  }

  /** Made under another name and renamed, so that a spool always has its manifest. */
  static create(home: Home, run: Omit<RunManifest, keyof ProcessIdentity>): Spool {
    const manifest = { ...run, ...ownIdentity() }
    const directory = join(home.running, run.run_id)
    const unnamed = join(home.running, `.new-${run.run_id}`)
    makeDirectory(unnamed)
    const fd = fs.openSync(join(unnamed, 'run.json'), 'wx', 0o600)
    try {
      fs.writeFileSync(fd, `${JSON.stringify(manifest)}\n`)
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(unnamed, directory)
    return new Spool(directory, manifest)
  }

  openStream(attempt: number, name: StreamName): SpooledStream {
    return new SpooledStream(this.directory, attempt, name, this.manifest.max_output)
  }

  /** Synchronous, in the signal's handler: some supervisors send KILL 300 ms after TERM. */
  noteSignal(signal: NodeJS.Signals): void {
    write(join(this.directory, 'signal'), signal)
  }

  noteAttempt(attempt: number, end: AttemptEnd): void {
    write(attemptPath(this.directory, attempt), JSON.stringify(end))
  }

  /**
   * Written before the journal: should we be killed in between, the sweep records this and not a loss. The second line
   * of `run.json`, whose block on the disk has room for it: a disk that has become full does not hide how a run ended.
   */
  noteFinished(event: RunFinished): void {
    const { fd } = openForAppend(join(this.directory, 'run.json'), { create: false })
    // The command is in the first line.
    const line = Buffer.from(`${JSON.stringify({ ...event, command: [] })}\n`)
    try {
      if (fs.writeSync(fd, line) < line.byteLength) throw new Error('the disk is full')
    } finally {
      fs.closeSync(fd)
    }
  }

  /** Makes the marker survive a power cut; not before the job starts, which must not wait for a disk. */
  sync(): void {
    for (const path of [join(this.directory, 'run.json'), this.directory, join(this.directory, '..')]) {
      fs.open(path, 'r', (error, fd) => {
        if (error === null) fs.fsync(fd, () => fs.close(fd))
      })
    }
  }

  /** Tells those who cannot see our process that the run goes on. */
  beat(now: Date): void {
    fs.utimesSync(join(this.directory, 'run.json'), now, now)
  }

  /**
   * Renamed first: killed half way through, we leave something that anybody may remove and nobody takes for a run.
   * By hand, because a recursive rmSync would load another of Node's modules in each run.
   */
  remove(): void {
    const gone = join(this.directory, '..', `.gone-${this.manifest.run_id}`)
    fs.renameSync(this.directory, gone)
    try {
      for (const name of fs.readdirSync(gone)) fs.unlinkSync(join(gone, name))
      fs.rmdirSync(gone)
    } catch (error) {
      // A sweeper may be quicker.
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
}

/** Never through a link that somebody planted at the path. */
function write(path: string, text: string): void {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = fs.constants
  const fd = fs.openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
  try {
    fs.writeFileSync(fd, text)
  } finally {
    fs.closeSync(fd)
  }
}

/** Null for a spool whose manifest is missing or makes no sense. @throws when it cannot be read, which says nothing of it */
export function readManifest(directory: string): RunManifest | null {
  const [line] = readLines(join(directory, 'run.json'))
  const value = line === undefined ? null : parseObject(line)
  if (value === null) return null
  const manifest = { redact: [], no_redact: false, schedule: null, slow_after_ms: null, ...value }
  return isManifest(manifest) ? manifest : null
}

/** Valid in every field: the job names files, and what is amiss in one spool must not keep others from being swept. */
function isManifest(value: Record<string, unknown>): value is Record<string, unknown> & RunManifest {
  return (
    isText(value['run_id']) &&
    isRunId(value['run_id']) &&
    isText(value['job']) &&
    isId(value['job']) &&
    isListOf(value['command'], isText) &&
    isTime(value['started']) &&
    ['pid', 'max_output', 'alert_after', 'delivery_grace_ms'].every((key) => isCount(value[key])) &&
    ['start', 'boot', 'namespace'].every((key) => isTextOrNull(value[key])) &&
    isText(value['host']) &&
    [true, false, null].includes(value['expects_delivery'] as boolean | null) &&
    isListOf(value['redact'], isText) &&
    typeof value['no_redact'] === 'boolean' &&
    isNullOr(isSchedule, value['schedule']) &&
    isNullOr(isCount, value['slow_after_ms'])
  )
}

/** What `noteFinished` left, or null. */
export function readFinished(directory: string, { command }: RunManifest): RunFinished | null {
  const event = parseEvent(readLines(join(directory, 'run.json'))[1] ?? '')
  return event?.type === 'run.finished' ? { ...event, command } : null
}

export function readSignal(directory: string): NodeJS.Signals | null {
  const text = readText(join(directory, 'signal'))
  return text !== null && /^SIG[A-Z0-9]+$/.test(text) ? (text as NodeJS.Signals) : null
}

export function readAttemptEnd(directory: string, attempt: number): AttemptEnd | null {
  return parseObject(readText(attemptPath(directory, attempt)) ?? '') as AttemptEnd | null
}

function attemptPath(directory: string, attempt: number): string {
  return join(directory, `${attempt}.attempt.json`)
}

/** Whole lines only: another may be on its way. */
function readLines(path: string): string[] {
  return (readBounded(path, MAX_MANIFEST_BYTES)?.toString('utf8') ?? '').split('\n').slice(0, -1)
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null // Its writer was killed, or the power went.
  }
}

function readText(path: string): string | null {
  try {
    return readBounded(path, MAX_MANIFEST_BYTES)?.toString('utf8') ?? null
  } catch {
    return null // Not readable: as good as missing.
  }
}
