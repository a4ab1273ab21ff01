import * as fs from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import { removeStaleTemporaries } from '../platform/atomic-file.ts'
import { toLocalIso } from '../platform/clock.ts'
import { listDirectory } from '../platform/list-directory.ts'
import { livenessOf, ownIdentity, type Liveness } from '../platform/process-identity.ts'
import { isRunId } from '../platform/run-id.ts'
import type { RunFinished } from './event.ts'
import { appendRunEntry } from './execution-log.ts'
import { appendEvent } from './journal.ts'
import { recordedIds } from './journal-reader.ts'
import { logHolds } from './log-reader.ts'
import { redactorFor } from './redact.ts'
import { noteProblem } from './own-log.ts'
import { keptOutput } from './spooled-stream.ts'
import { HEARTBEAT_MS, readFinished, readManifest, readSignal, type RunManifest } from './spool.ts'

/** A wrapper that we cannot look at (another host or container) is gone when its heartbeat has not come for this long. */
const UNREACHABLE_MS = 10 * HEARTBEAT_MS
/** A spool that is not finished, or a temporary file, belongs to a process that was killed right there. */
const ABANDONED_MS = 60_000
/** A spool that the journal holds but the log will not take is given up after this. */
const UNLOGGABLE_MS = 24 * 60 * 60_000

export interface SweepOptions {
  /** Our own run. */
  readonly except?: string
  readonly now: Date
  /** Asked between runs: leave the rest for the next time. */
  readonly hurry?: () => boolean
}

export interface SweepResult {
  /** The runs that were recorded. Their events are in the journal; folding is the caller's. */
  readonly recorded: readonly string[]
  /** What could not be recorded, one sentence each. It stays for the next time. */
  readonly problems: readonly string[]
}

interface Claimed {
  readonly directory: string
  readonly manifest: RunManifest
}

/**
 * Records the runs whose wrapper is gone: killed with SIGKILL, or by a power cut. Each is recorded
 * once however many sweepers meet: renaming the spool decides who does it, and whoever finds a
 * spool that was claimed by a sweeper that died looks up how far it got.
 */
export async function sweepLostRuns(home: Home, { except, now, hurry }: SweepOptions): Promise<SweepResult> {
  const recorded: string[] = []
  const problems: string[] = []
  const others = listDirectory(home.running).filter((name) => isSpoolName(name) && name !== except)
  const claimed = others.flatMap((name) => {
    try {
      return claimIfGone(home, name, now) ?? []
    } catch (error) {
      problems.push(`${join(home.running, name)} cannot be looked at: ${messageOf(error)}`)
      return []
    }
  })
  // Looked up once all are claimed: what their wrappers still wrote is there by now.
  const known = claimed.length === 0 ? new Set<string>() : recordedIds(home)
  for (const { directory, manifest } of claimed) {
    if (hurry?.()) break
    try {
      await recordLost(home, directory, manifest, known, now)
      recorded.push(manifest.run_id)
    } catch (error) {
      problems.push(`run ${manifest.run_id} of ${manifest.job} could not be recorded: ${messageOf(error)}`)
    }
    // The output of the job that runs meanwhile must not wait for a long row of these.
    await new Promise((resolve) => setImmediate(resolve))
  }
  removeStaleTemporaries(home.logs, ABANDONED_MS, now)
  return { recorded, problems }
}

function claimIfGone(home: Home, name: string, now: Date): Claimed | null {
  const path = join(home.running, name)
  if (name.startsWith('.gone-')) {
    fs.rmSync(path, { recursive: true, force: true })
    return null
  }
  if (name.startsWith('.new-')) {
    if (ageOf(path, now) > ABANDONED_MS) fs.rmSync(path, { recursive: true, force: true })
    return null
  }
  const manifest = readManifest(path)
  if (manifest === null) {
    if (ageOf(path, now) > UNREACHABLE_MS) setAside(home, name)
    return null
  }
  if (claimantLives(name) || !isGone(manifest, path, now)) return null
  const directory = claim(home, name, manifest)
  return directory === null ? null : { directory, manifest }
}

/** What cannot be read names no job, so it cannot be recorded; it may still hold what somebody looks for. */
function setAside(home: Home, name: string): void {
  const kept = join(home.logs, `${runIdIn(name)}.corrupt`)
  fs.renameSync(join(home.running, name), kept)
  noteProblem(
    home,
    `run ${runIdIn(name)} cannot be recorded, its run.json is not readable; its output is kept in ${kept}`,
  )
}

/** Spools are named by the run; `.new-<run>` while they are made, `.sweep-<pid>-<start>-<run>` while they are swept, `.gone-<run>` while they are removed. */
function isSpoolName(name: string): boolean {
  return isRunId(runIdIn(name))
}

/** What a spool is named for, whatever becomes of it. */
export function runIdIn(name: string): string {
  return name.slice(-36)
}

function claimantLives(name: string): boolean {
  const match = /^\.sweep-(\d+)-(\d*)-/.exec(name)
  if (match === null) return false
  return livenessOf({ ...ownIdentity(), pid: Number(match[1]), start: match[2] || null }) === 'alive'
}

function claim(home: Home, name: string, manifest: RunManifest): string | null {
  const { pid, start } = ownIdentity()
  const claimed = join(home.running, `.sweep-${pid}-${start ?? ''}-${manifest.run_id}`)
  try {
    fs.renameSync(join(home.running, name), claimed)
    return claimed
  } catch {
    return null // Another sweeper took it.
  }
}

async function recordLost(
  home: Home,
  directory: string,
  manifest: RunManifest,
  known: Set<string>,
  now: Date,
): Promise<void> {
  const redactor = redactorFor({ redact: manifest.redact, noRedact: manifest.no_redact })
  const event = readFinished(directory, manifest) ?? lostEvent(directory, manifest, now)
  if (!known.has(event.id)) appendEvent(home, event)
  known.add(event.id)
  try {
    if (!logHolds(home, event.job, event.run_id))
      await appendRunEntry(home, event, { directory, maxBytes: manifest.max_output, redactor })
  } catch (error) {
    if (ageOf(directory, now) < UNLOGGABLE_MS) throw error
  }
  // Renamed first, as the wrapper does: half removed it would look like a record that cannot be read.
  const gone = join(home.running, `.gone-${manifest.run_id}`)
  fs.renameSync(directory, gone)
  fs.rmSync(gone, { recursive: true, force: true })
}

function lostEvent(directory: string, manifest: RunManifest, now: Date): RunFinished {
  const signal = readSignal(directory)
  const bytes = (name: 'stdout' | 'stderr'): number =>
    attemptNumbers(directory).reduce(
      (sum, attempt) => sum + keptOutput(directory, attempt, name, manifest.max_output).totalBytes,
      0,
    )
  return {
    type: 'run.finished',
    id: manifest.run_id,
    time: toLocalIso(now, 'milliseconds'),
    job: manifest.job,
    run_id: manifest.run_id,
    started: manifest.started,
    duration_ms: null,
    status: 'error',
    reason: signal === null ? 'lost' : 'interrupted',
    exit_code: null,
    signal,
    attempts: Math.max(1, ...attemptNumbers(directory)),
    command: manifest.command,
    stdout_bytes: bytes('stdout'),
    stderr_bytes: bytes('stderr'),
    last_error: signal === null ? 'cronwrap was killed or the machine went down' : `interrupted (${signal})`,
    output_held: false,
    alert_after: manifest.alert_after,
    expects_delivery: manifest.expects_delivery,
    delivery_grace_ms: manifest.delivery_grace_ms,
    host: hostname(),
    schedule: manifest.schedule,
    last_seen: toLocalIso(lastSignOfLife(directory, manifest, now), 'milliseconds'),
  }
}

/** A clock that was corrected may put it anywhere. */
function lastSignOfLife(directory: string, { started }: RunManifest, now: Date): Date {
  const changedMs = now.getTime() - ageOf(directory, now)
  return new Date(Math.min(Math.max(changedMs, Date.parse(started)), now.getTime()))
}

function attemptNumbers(directory: string): number[] {
  return [...new Set(listDirectory(directory).flatMap((file) => /^(\d+)\./.exec(file)?.[1] ?? []))].map(Number)
}

/** Whether a run's wrapper has ended; one that we cannot look at must show that it is alive. */
export function isGone(manifest: RunManifest, path: string, now: Date): boolean {
  const liveness: Liveness = livenessOf(manifest)
  return liveness === 'dead' || (liveness === 'unknown' && ageOf(path, now) > UNREACHABLE_MS)
}

/** Milliseconds since anything in the spool changed; 0 for one that has gone meanwhile. */
function ageOf(path: string, now: Date): number {
  const changes = [path, ...listDirectory(path).map((file) => join(path, file))].map(
    (each) => fs.statSync(each, { throwIfNoEntry: false })?.mtimeMs ?? now.getTime(),
  )
  return now.getTime() - Math.max(...changes)
}
