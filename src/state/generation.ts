import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf } from '../errors.ts'
import { syncDirectory } from '../platform/atomic-file.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { listDirectory } from '../platform/list-directory.ts'
import { livenessOf, ownIdentity } from '../platform/process-identity.ts'

/*
 * How exactly one writer decides each next value of a state, whoever is stopped where.
 *
 * A value is known by its file's inode and modification time: its id. The system's time moves in steps of
 * milliseconds and inodes are used again, so each value's time is set, later than that of the one before. Beside `water.json` lies `.water/`
 * with a directory per id. Who wants to follow value p prepares a directory and renames it to `.water/p/next`:
 * rename(2) onto a directory that holds something fails, so one claim on p succeeds, for ever. What a claim
 * holds, each process may carry out, in this order, and each step is a rename whose source is there once:
 *
 *   1. `p/next/self`  -> `.water/q`     the place where the next claim goes is there before q can be seen
 *   2. `p/next/value` -> `water.json`   q is seen; a writer that wakes up later finds no source and does nothing
 *   3. `p`            -> `.water/gone-…` a claim on p that comes late finds no place
 *
 * A value that somebody else wrote has no directory; it gets one, marked `external`, which stays, because a late
 * writer could make it again. To delete, step 2 renames `water.json` into the claim's own `grave`, which
 * is then renamed away, so that a late deleter has no place to put what it took.
 */

/** The id of what is seen: inode and modification time, or the place that stands for no value. */
export interface Seen {
  readonly id: string
  readonly content: Buffer | null
}

export interface StatePlace {
  /** The file that everybody reads. */
  readonly file: string
  /** Where its generations are decided. */
  readonly directory: string
}

/** A state is small; a larger file is an accident. */
export const MAX_STATE_BYTES: number = 64 * 1024 * 1024

/** Node sets times to about a quarter of a microsecond. */
const STEP_SECONDS = 4e-6

const EXTERNAL = 'external'
/** A leftover of a process that was killed is removed after this; of one that is known dead, at once. */
const LEFTOVER_MS = 60_000
const MINUTE_MS = 60_000
/** External places are kept this long: a writer that sleeps longer may overwrite one newer value. */
const EXTERNAL_KEPT_MS = 30 * 24 * 60 * 60_000

/** What is there now, after finishing what others began. */
export function look(place: StatePlace): Seen {
  for (;;) {
    const seen = seenNow(place)
    const claimed = join(place.directory, seen.id, 'next')
    if (fs.existsSync(claimed)) {
      carryOut(place, seen.id)
      continue
    }
    if (seen.content === null) closeGraves(place)
    if (fs.existsSync(join(place.directory, seen.id))) return seen
    // Missing: it has been followed meanwhile, or somebody else wrote it. Only the latter is still seen.
    if (seenNow(place).id !== seen.id) continue
    makeExternalPlace(place, seen.id)
    return seen
  }
}

/**
 * Makes `content` the value that follows `seen`; null deletes. Durable when it returns.
 * @returns false when another writer was first: look again
 */
export function follow(place: StatePlace, seen: Seen, content: Buffer | null): boolean {
  const prepared = prepare(place, content, floorOf(seen.id))
  try {
    fs.renameSync(prepared, join(place.directory, seen.id, 'next'))
  } catch (error) {
    fs.rmSync(prepared, { recursive: true, force: true })
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errnoOf(error) ?? '')) return false
    throw error
  }
  syncIfThere(join(place.directory, seen.id))
  carryOut(place, seen.id)
  return true
}

/** Removes what killed writers left, and external places that are old. What another process is removing too may be left. */
export function tidy(place: StatePlace, now: Date): void {
  for (const name of listDirectory(place.directory)) {
    const path = join(place.directory, name)
    try {
      const ageMs = now.getTime() - fs.statSync(path).mtimeMs
      const isOld = ageMs > EXTERNAL_KEPT_MS && name !== seenNow(place).id
      if (isLeftover(name, ageMs) || isOld) fs.rmSync(path, { recursive: true, force: true })
    } catch {
      continue // Two that tidy meet; the next one sees to what is left.
    }
  }
}

function isLeftover(name: string, ageMs: number): boolean {
  const minute = /^gone-(\d+)$/.exec(name)?.[1]
  if (minute !== undefined) return Math.abs(Date.now() / MINUTE_MS - Number(minute)) > 2
  const owner = /^new-(\d+)-(\d*)-/.exec(name)
  if (owner === null) return false
  return (
    ageMs > LEFTOVER_MS || livenessOf({ ...ownIdentity(), pid: Number(owner[1]), start: owner[2] || null }) === 'dead'
  )
}

/** Appears with its mark in one step, so that nobody takes it for one that may go. */
function makeExternalPlace(place: StatePlace, id: string): void {
  const made = newDirectory(place)
  fs.closeSync(fs.openSync(join(made, EXTERNAL), 'wx', 0o600))
  moveOnce(made, join(place.directory, id))
}

function newDirectory(place: StatePlace): string {
  const { pid, start } = ownIdentity()
  makeDirectory(place.directory)
  const path = join(place.directory, `new-${pid}-${start ?? ''}-${randomUUID()}`)
  fs.mkdirSync(path, { mode: 0o700 })
  return path
}

/** `value` or `grave`, `self`, and a file that says the next id and keeps the claim from being empty. */
function prepare(place: StatePlace, content: Buffer | null, floorNs: bigint): string {
  const prepared = newDirectory(place)
  fs.mkdirSync(join(prepared, 'self'), { mode: 0o700 })
  const id =
    content === null ? `none-${randomUUID()}-${floorNs}` : writeValue(join(prepared, 'value'), content, floorNs)
  if (content === null) fs.mkdirSync(join(prepared, 'grave'), { mode: 0o700 })
  fs.closeSync(fs.openSync(join(prepared, `is-${id}`), 'wx', 0o600))
  syncDirectory(prepared)
  return prepared
}

/** @returns the id, whose time is later than `floorNs` also when the clock was set back */
function writeValue(path: string, content: Buffer, floorNs: bigint): string {
  const fd = fs.openSync(path, 'wx', 0o600)
  try {
    fs.writeFileSync(fd, content)
    const seconds = Math.max(Date.now() / 1000, Number(floorNs / 1000n) / 1e6) + STEP_SECONDS
    fs.futimesSync(fd, seconds, seconds)
    fs.fsyncSync(fd)
    return idOf(fs.fstatSync(fd, { bigint: true }))
  } finally {
    fs.closeSync(fd)
  }
}

/** The time in an id; a deletion hands on that of the value it ended. */
function floorOf(id: string): bigint {
  return BigInt(/-(\d+)$/.exec(id)?.[1] ?? 0)
}

function carryOut(place: StatePlace, id: string): void {
  const claim = join(place.directory, id, 'next')
  const next = listDirectory(claim)
    .find((name) => name.startsWith('is-'))
    ?.slice('is-'.length)
  if (next !== undefined) {
    moveOnce(join(claim, 'self'), join(place.directory, next))
    if (fs.existsSync(join(claim, 'grave'))) moveOnce(place.file, join(claim, 'grave', 'value'))
    else moveOnce(join(claim, 'value'), place.file)
    moveOnce(join(claim, 'grave'), goneName(place))
  }
  syncDirectory(dirname(place.file))
  if (!fs.existsSync(join(place.directory, id, EXTERNAL))) moveOnce(join(place.directory, id), goneName(place))
}

/** A deletion that was begun must be over before a new value can be: it would take that one. */
function closeGraves(place: StatePlace): void {
  for (const name of listDirectory(place.directory))
    moveOnce(join(place.directory, name, 'next', 'grave'), goneName(place))
}

/** Another process may have carried the claim out already, and moved the place away. */
function syncIfThere(directory: string): void {
  try {
    syncDirectory(directory)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** Whoever comes second finds no source, or no place; both mean that it has been done. */
function moveOnce(from: string, to: string): void {
  try {
    fs.renameSync(from, to)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error
  }
}

/** The bytes that a reader sees, or null. */
export function readVisible(place: StatePlace): Buffer | null {
  return seenNow(place).content
}

function seenNow(place: StatePlace): Seen {
  let fd: number
  try {
    fd = fs.openSync(place.file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { id: idOfNothing(place), content: null }
    throw error
  }
  try {
    const stat = fs.fstatSync(fd, { bigint: true })
    if (!stat.isFile()) throw new Error(`${place.file} is not a regular file`)
    if (stat.size > MAX_STATE_BYTES) throw new Error(`${place.file} is larger than ${MAX_STATE_BYTES} bytes`)
    return { id: idOf(stat), content: fs.readFileSync(fd) }
  } finally {
    fs.closeSync(fd)
  }
}

function idOf(stat: fs.BigIntStats): string {
  return `${stat.ino}-${stat.mtimeNs}`
}

/**
 * A deletion leaves the one place from which a state can begin again. Before the first value, and after somebody
 * removed the file by hand, it is the first numbered one that is not taken.
 */
function idOfNothing(place: StatePlace): string {
  // One whose claim still holds its value is not over: it is to be carried out, and no other to be begun.
  const isFree = (id: string): boolean => {
    const claim = join(place.directory, id, 'next')
    return !fs.existsSync(claim) || fs.existsSync(join(claim, 'value'))
  }
  const left = listDirectory(place.directory).find((name) => /^none-.*-/.test(name) && isFree(name))
  if (left !== undefined) return left
  let number = 0
  while (!isFree(`none-${number}`)) number += 1
  return `none-${number}`
}

/**
 * What is over is moved away, into a directory per minute, and removed a minute later at the earliest: a rename that
 * the system has begun may still reach the place where it was, and must find it taken.
 */
function goneName(place: StatePlace): string {
  const bucket = join(place.directory, `gone-${Math.floor(Date.now() / MINUTE_MS)}`)
  makeDirectory(bucket)
  return join(bucket, randomUUID())
}
