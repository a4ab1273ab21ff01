import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { homeAt } from '../../src/config/base-directory.ts'
import type { SummaryEntry } from '../../src/record/summary-entry.ts'

const CRONWRAP = join(import.meta.dirname, '../../bin/cronwrap.js')

export interface BenchContext {
  /** Everything that is measured writes below it. */
  readonly directory: string
  readonly node: string
  readonly nodeVersion: string
  /** The words before cronwrap's own arguments. */
  readonly cronwrap: readonly string[]
  readonly remove: () => void
}

export function createContext(node: string): BenchContext {
  const path = node.includes('/') ? resolve(node) : node
  const nodeVersion = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()
  const directory = mkdtempSync(join(tmpdir(), 'cronwrap-bench-'))
  return {
    directory,
    node: path,
    nodeVersion,
    cronwrap: [path, CRONWRAP],
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** A base directory of its own for each thing that is measured, so that none meets the files of another. */
export function createBase({ directory }: BenchContext, name: string): string {
  const base = join(directory, name)
  mkdirSync(base)
  return base
}

/**
 * As bare as cron's own: settings for cronwrap or Node in the environment of whoever measures, such
 * as NODE_EXTRA_CA_CERTS, would be measured too.
 */
export function bareEnvironment({ directory }: BenchContext, base: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: directory, CRONWRAP_HOME: base }
}

/** Runs and failed runs in the summary, all jobs together. */
export function readTotals(base: string): { runs: number; errors: number } {
  const summary = JSON.parse(readFileSync(homeAt(base).summary, 'utf8')) as Record<string, SummaryEntry>
  const entries = Object.values(summary)
  return {
    runs: entries.reduce((sum, entry) => sum + entry.total_runs, 0),
    errors: entries.reduce((sum, entry) => sum + entry.total_errors, 0),
  }
}

/** @throws Error when runs that were measured are not on record: they would only seem fast */
export function expectRecorded(base: string, expected: number): void {
  const { runs, errors } = readTotals(base)
  if (runs !== expected || errors !== 0)
    throw new Error(`${expected} runs were measured, but ${runs} recorded, ${errors} of them as failed`)
}
