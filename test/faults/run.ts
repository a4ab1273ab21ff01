import { parseArgs } from 'node:util'
import { seeded } from '../support/seeded.ts'
import { CORRUPTION_SCENARIOS } from './corruption.ts'
import { CROWD_SCENARIOS } from './crowd.ts'
import { FULL_DISK_SCENARIOS } from './full-disk.ts'
import { IO_ERROR_SCENARIOS } from './io-errors.ts'
import { KILL_SCENARIOS } from './kill.ts'
import { NOTIFY_SCENARIOS } from './notify.ts'
import { OUTPUT_SCENARIOS } from './output.ts'
import { PROCESS_SCENARIOS } from './processes.ts'
import { SECURITY_SCENARIOS } from './security.ts'
import { TIME_SCENARIOS } from './time.ts'
import type { Scenario } from './scenario.ts'

const SCENARIOS: readonly Scenario[] = [
  ...KILL_SCENARIOS,
  ...IO_ERROR_SCENARIOS,
  ...FULL_DISK_SCENARIOS,
  ...CROWD_SCENARIOS,
  ...TIME_SCENARIOS,
  ...NOTIFY_SCENARIOS,
  ...CORRUPTION_SCENARIOS,
  ...OUTPUT_SCENARIOS,
  ...PROCESS_SCENARIOS,
  ...SECURITY_SCENARIOS,
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string', default: '20261124' },
    soak: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
})

/** One line for each scenario; what was lost below it. */
async function main(): Promise<void> {
  const named = SCENARIOS.filter(({ name }) => name.toLowerCase().includes((values.only ?? '').toLowerCase()))
  const chosen = named.filter(({ isLong }) => values.soak || values.only !== undefined || !isLong)
  const rounds = Number(values.rounds ?? (values.soak ? 10 : 1))
  if (!Number.isInteger(Number(values.seed))) throw new Error(`--seed ${values.seed} is not a whole number`)
  let [passed, failed, skipped] = [0, 0, 0]
  for (let round = 0; round < rounds; round++) {
    for (const scenario of chosen) {
      const ok = await runOne(scenario, Number(values.seed) + round)
      if (ok === true) passed += 1
      if (ok === false) failed += 1
      if (ok === null) skipped += 1
    }
  }
  if (skipped > 0) process.stdout.write(`${skipped} skipped: this machine cannot run them\n`)
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  // Not waiting for what hangs.
  process.exit(failed === 0 && passed > 0 ? 0 : 1)
}

/** @returns null for a scenario that cannot run here */
async function runOne({ name, unavailable, run }: Scenario, seed: number): Promise<boolean | null> {
  const missing = unavailable?.() ?? null
  if (missing !== null) {
    line('skipped', name, missing)
    return null
  }
  const started = performance.now()
  const limitS = values.soak ? 3600 : 240
  const { faults, lost } = await Promise.race([
    run({ random: seeded(seed), soak: values.soak }),
    new Promise<never>((_, reject) => setTimeout(reject, limitS * 1000, `it does not end in ${limitS} s`).unref()),
  ]).catch((error: unknown) => ({
    faults: 0,
    lost: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
  }))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const ok = lost.length === 0 && faults > 0
  line(
    ok ? 'ok' : 'FAILED',
    name,
    `${String(faults).padStart(5)} faults  ${String(lost.length).padStart(2)} lost  ${seconds.padStart(6)} s`,
  )
  for (const each of lost.slice(0, 20)) process.stdout.write(`        ${each}\n`)
  if (!ok)
    process.stdout.write(
      `        again: npm run test:faults -- --seed ${seed}${values.soak ? ' --soak' : ''} --rounds 1 --only '${name}'\n`,
    )
  return ok
}

function line(result: string, name: string, rest: string): void {
  process.stdout.write(`${result.padEnd(8)}${name.padEnd(58)}${rest}\n`)
}

await main()
