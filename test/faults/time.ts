import fs from 'fs-extra'
import { join } from 'node:path'
import { createRig, finished, kill, until, type Finished, type RawProcess, type Rig } from '../support/rig.ts'
import { ownIdentity } from '../../src/platform/process-identity.ts'
import { Oracle } from './oracle.ts'
import { eachCase, type Context, type Outcome, type Scenario } from './scenario.ts'

const TEXT = 'in time'
const DAY_S = 86_400

/** A holder of the lock is stopped for longer than a lock may be left alone, and wakes up when others have been there. */
async function stalledHolder(): Promise<string[]> {
  await using rig = createRig()
  const oracle = new Oracle(rig)
  const { holder } = await stopWithLock(rig, oracle)
  const others = await Promise.all([1, 2, 3].map((index) => rig.run(oracle.words(`other-${index}`, TEXT, 0))))
  kill(holder.pid ?? 0, 'SIGCONT')
  const stopped = finished(await holder)
  const problems = [stopped, ...others].flatMap(({ code, stderr }, index) =>
    code === (index === 0 ? 3 : 0) && stderr === '' ? [] : [`run ${index} ended with ${code}: ${stderr}`],
  )
  for (const job of ['holder', 'other-1', 'other-2', 'other-3']) oracle.noteSurvival(job)
  return [...problems, ...oracle.compare(TEXT)]
}

async function stopWithLock(rig: Rig, oracle: Oracle): Promise<{ holder: RawProcess }> {
  const lock = `${rig.home.summary}.lock`
  for (;;) {
    const run = rig.start(oracle.words('holder', TEXT, 3))
    let ended = false
    void run.then(() => (ended = true))
    while (!ended && !fs.existsSync(lock)) await new Promise((resolve) => setImmediate(resolve))
    kill(run.pid ?? 0, 'SIGSTOP')
    // In an object: a process is a promise, and would be waited for.
    if (!ended && fs.existsSync(lock)) return { holder: run }
    kill(run.pid ?? 0, 'SIGCONT')
    await run
    oracle.noteSurvival('holder')
  }
}

const LIBRARY = fs.existsSync('/usr/lib')
  ? fs
      .readdirSync('/usr/lib')
      .map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`)
      .find((path) => fs.existsSync(path))
  : undefined

function libfaketimeUnavailable(): string | null {
  return LIBRARY === undefined ? 'libfaketime is not installed' : null
}

/** The wall clock as the file says, read at each look; the monotonic clock goes on as it does in a real jump. */
function withClock(rig: Rig, offset: string): NodeJS.ProcessEnv {
  rig.write('clock', offset)
  return {
    ...rig.env,
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: rig.path('clock'),
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  }
}

/** Runs before, across and after a jump; then one is killed over there, its lock left in the other time. */
async function clockJump(seconds: number): Promise<string[]> {
  await using rig = createRig()
  const oracle = new Oracle(rig)
  const jump = `${seconds < 0 ? '' : '+'}${seconds}`
  const problems: string[] = []
  const checked = async (what: string, run: Promise<Finished>, code: number): Promise<void> => {
    const started = performance.now()
    const result = await run
    if (result.code !== code || result.stderr !== '') problems.push(`${what}: ${result.code} ${result.stderr}`)
    if (performance.now() - started > 8_000) problems.push(`${what} took ${performance.now() - started} ms`)
    oracle.noteSurvival('jumping')
  }
  await checked('before', rig.run(oracle.words('jumping', TEXT, 3)), 3)
  await checked('across', runAcross(rig, oracle, jump), 3)
  await checked('beyond', rig.run(oracle.words('jumping', TEXT, 3), { env: withClock(rig, jump) }), 3)
  const lock = `${rig.home.summary}.lock`
  fs.mkdirSync(lock)
  const then = new Date(Date.now() + seconds * 1000)
  fs.utimesSync(lock, then, then)
  await checked('after', rig.run(oracle.words('jumping', TEXT, 3)), 3)
  const [, across, beyond] = rig.runs()
  if (Math.abs(Date.parse(beyond?.time ?? '') - Date.now() - seconds * 1000) > 3_600_000)
    problems.push(`the clock did not jump: ${across?.time} ${beyond?.time}`)
  for (const { duration_ms } of rig.runs())
    if (duration_ms === null || duration_ms > 20_000) problems.push(`a run of ${duration_ms} ms`)
  return [...problems, ...oracle.compare(TEXT)]
}

async function runAcross(rig: Rig, oracle: Oracle, jump: string): Promise<Finished> {
  const gate = rig.path('gate')
  const wait = `until [ -e ${gate} ]; do sleep 0.05; done`
  const run = rig.start(oracle.wordsAfter(wait, 'jumping', TEXT, 3), { env: withClock(rig, '+0') })
  await until('it has begun', () => rig.running().length === 1)
  rig.write('clock', jump)
  rig.write('gate', '')
  return finished(await run)
}

/** A run that begins before the local clock is changed and ends after. */
async function daylightSaving({ utc, before, after }: (typeof CHANGES)[number]): Promise<string[]> {
  await using rig = createRig()
  const offset = Math.floor(Date.parse(utc) / 1000 - 2 - Date.now() / 1000)
  const env = { ...withClock(rig, String(offset)), TZ: 'Europe/Berlin' }
  const at = Date.parse(utc) / 1000
  const script = `until [ $(date +%s) -ge ${at} ]; do sleep 0.1; done`
  const { code, stderr } = await rig.run(['--job', 'night', '--', 'sh', '-c', script], { env })
  const [run] = rig.runs()
  const offsets = `${run?.started.slice(-6)} ${run?.time.slice(-6)} ${rig.summary()['night']?.last_run?.slice(-6)}`
  const problems = code === 0 && stderr === '' ? [] : [`${code} ${stderr}`]
  if (offsets !== `${before} ${after} ${before}`) problems.push(`the offsets are ${offsets}`)
  const took = Date.parse(run?.time ?? '') - Date.parse(run?.started ?? '')
  if (Math.abs(took - (run?.duration_ms ?? 0)) > 1_000)
    problems.push(`${took} ms by the times, ${run?.duration_ms} ms measured`)
  return problems
}

const CHANGES = [
  { utc: '2026-03-29T01:00:00Z', before: '+01:00', after: '+02:00' },
  { utc: '2026-10-25T01:00:00Z', before: '+02:00', after: '+01:00' },
] as const

/** The spool of a killed wrapper names a process that lives, but is another one: after a reboot, or because the pid came round. */
async function reusedPid(change: (typeof REUSES)[number]): Promise<string[]> {
  await using rig = createRig()
  const oracle = new Oracle(rig)
  const gate = rig.path('gate')
  // The job waits: a wrapper that came to its end first would be killed while it records, or not at all.
  const wait = `until [ -e ${gate} ]; do sleep 0.05; done`
  const wrapper = rig.start(oracle.wordsAfter(wait, 'victim', TEXT, 3), { detached: true })
  await until('it has begun', () => rig.running().length === 1)
  wrapper.kill('SIGKILL')
  await wrapper
  rig.write('gate', '')
  await oracle.quiet()
  const path = join(rig.home.running, rig.running()[0] ?? '', 'run.json')
  const [first = '', ...rest] = fs.readFileSync(path, 'utf8').split('\n')
  const manifest = { ...(JSON.parse(first) as object), ...ownIdentity(), ...change.identity }
  fs.writeFileSync(path, [JSON.stringify(manifest), ...rest].join('\n'))
  await rig.run(oracle.words('after', TEXT, 0))
  oracle.noteSurvival('after')
  if (!change.lives) return oracle.compare(TEXT)
  return rig.running().length === 1 ? [] : ['a run whose wrapper lives was taken for lost']
}

const REUSES = [
  { name: 'the process itself', identity: {}, lives: true },
  { name: 'its pid in a later boot', identity: { boot: '00000000-0000-4000-8000-000000000000' }, lives: false },
  { name: 'its pid with another start', identity: { start: '1' }, lives: false },
] as const

function scenario<T>(
  name: string,
  cases: readonly T[],
  describe: (item: T) => string,
  lostIn: (item: T) => Promise<string[]>,
  unavailable?: () => string | null,
): Scenario {
  const run = (): Promise<Outcome> => eachCase(cases, 2, describe, lostIn)
  return unavailable === undefined ? { name, run } : { name, run, unavailable }
}

export const TIME_SCENARIOS: readonly Scenario[] = [
  {
    name: 'the holder of the lock is stopped until it is stale',
    run: ({ soak }: Context) =>
      eachCase(
        Array.from({ length: soak ? 6 : 1 }, (_, index) => index),
        3,
        String,
        stalledHolder,
      ),
  },
  scenario(
    'the clock jumps',
    [DAY_S, -DAY_S, 365 * DAY_S, -365 * DAY_S],
    (seconds) => `by ${seconds / DAY_S} days`,
    clockJump,
    libfaketimeUnavailable,
  ),
  scenario('daylight saving begins and ends', CHANGES, ({ utc }) => utc, daylightSaving, libfaketimeUnavailable),
  scenario('a pid that is another process now', REUSES, ({ name }) => name, reusedPid),
]
