import fs from 'fs-extra'
import { createRig, until, type Rig } from '../support/rig.ts'
import { Oracle } from './oracle.ts'
import { eachCase, type Context, type Outcome, type Scenario } from './scenario.ts'
import { onRecords, runTraced, straceUnavailable, type Call } from './trace.ts'

const TEXT = 'what the job printed'

/** A base directory in some state, and what is killed in it. */
interface Subject {
  readonly prepare: (rig: Rig, oracle: Oracle) => Promise<void>
  readonly words: (oracle: Oracle) => string[]
}

const IN_NEW_DIRECTORY: Subject = {
  prepare: () => Promise.resolve(),
  words: (oracle) => oracle.words('subject', TEXT, 3),
}

/** Two failures stand; the third makes an alert. */
const AFTER_TWO_FAILURES: Subject = {
  prepare: async (rig, oracle) => {
    for (let run = 0; run < 2; run++) await rig.run(oracle.words('subject', TEXT, 3))
    oracle.noteSurvival('subject')
  },
  words: (oracle) => oracle.words('subject', TEXT, 3),
}

/** A run whose wrapper was killed waits to be recorded by the one that is killed now. */
const SWEEPER: Subject = {
  prepare: async (rig, oracle) => {
    const wrapper = rig.start(oracle.words('victim', TEXT, 3), { detached: true })
    await until('the victim has begun', () => oracle.started().length === 1)
    wrapper.kill('SIGKILL')
    await wrapper
    await oracle.quiet()
  },
  words: (oracle) => oracle.words('sweeper', TEXT, 0),
}

async function killAtEachCall({ prepare, words }: Subject, { soak }: Context): Promise<Outcome> {
  const calls = await callsOf({ prepare, words }, soak)
  return eachCase(
    calls,
    3,
    ({ name, number }) => `strace -e inject=${name}:signal=KILL:when=${number}`,
    async ({ name, number }) => {
      await using rig = createRig()
      const oracle = new Oracle(rig)
      await prepare(rig, oracle)
      const run = await runTraced(rig, words(oracle), { inject: `${name}:signal=KILL:when=${number}` })
      for (const key of ['subject', 'sweeper']) {
        if (run.code !== undefined) oracle.noteSurvival(key)
        else oracle.noteKnown(key, { end: hasDone(run.calls, END), output: hasDone(run.calls, OUTPUT) })
      }
      await oracle.quiet()
      oracle.letTimePass()
      const after = await rig.run(oracle.words('after', TEXT, 0))
      oracle.noteSurvival('after')
      const told = after.code === 0 && after.stderr === '' ? [] : [`the next run: ${after.code} ${after.stderr}`]
      return [...told, ...oracle.compare(TEXT)]
    },
  )
}

/** The write of how the run ended, and of what it printed: once done, neither may be lost. */
const END = /^write\(\d+<[^>]*\/[0-9a-f-]{36}\/run\.json>/
const OUTPUT = /^write\(\d+<[^>]*\/1\.stdout\.0>/

function hasDone(calls: readonly Call[], what: RegExp): boolean {
  return calls.some(({ line }) => what.test(line) && /= \d+$/.test(line))
}

/** The calls of an undisturbed run. Only a soak tries those, too, with which Node itself starts. */
async function callsOf({ prepare, words }: Subject, all: boolean): Promise<Call[]> {
  await using rig = createRig()
  const oracle = new Oracle(rig)
  await prepare(rig, oracle)
  const { calls } = await runTraced(rig, words(oracle))
  const matters = (call: Call): boolean => onRecords(call, rig) || /^(?:clone|vfork|exit)/.test(call.name)
  fs.removeSync(rig.home.base)
  return calls.filter((call) => all || matters(call))
}

export const KILL_SCENARIOS: readonly Scenario[] = [
  { name: 'SIGKILL at each call of a first run', subject: IN_NEW_DIRECTORY },
  { name: 'SIGKILL at each call of a run that raises an alert', subject: AFTER_TWO_FAILURES },
  { name: 'SIGKILL at each call of a sweeper', subject: SWEEPER },
].map(({ name, subject }) => ({
  name,
  unavailable: straceUnavailable,
  run: (context) => killAtEachCall(subject, context),
}))
