import { spawnSync } from 'node:child_process'
import fs from 'fs-extra'
import { createRig, finished, kill, until } from '../support/rig.ts'
import { watchViews } from '../support/watch-views.ts'
import { Oracle } from './oracle.ts'
import type { Context, Outcome, Scenario } from './scenario.ts'

const CROWD = 400
const TEXT = 'one of many'

/** All begin, wait for each other, and end together, a part of them killed at some moment; readers look on. */
async function crowd(jobs: number, killedShare: number, { random }: Context): Promise<Outcome> {
  await using rig = createRig()
  const oracle = new Oracle(rig)
  const views = watchViews(rig)
  const gate = rig.path('gate')
  spawnSync('mkfifo', [gate])
  const runs = Array.from({ length: CROWD }, (_, index) =>
    rig.start(oracle.wordsAfter(`read _ < ${gate}`, `job-${index % jobs}`, TEXT, index % 3 === 0 ? 3 : 0, `${index}`)),
  )
  const reading = readOn(() => rig.run(['status', '--json']))
  await until('all have begun', () => rig.running().length === CROWD, 120_000)
  const victims = runs.filter(() => random() < killedShare)
  // Stays open for reading too, so that each of the jobs meets a writer, however late it comes.
  const gateFd = fs.openSync(gate, fs.constants.O_RDWR)
  fs.writeSync(gateFd, '\n'.repeat(CROWD))
  const started = performance.now()
  const moments = victims.map(() => random() * 4_000).toSorted((a, b) => a - b)
  for (const [index, victim] of victims.entries()) {
    await until('its moment', () => performance.now() - started > (moments[index] ?? 0))
    kill(victim.pid ?? 0, 'SIGKILL')
  }
  const results = (await Promise.all(runs)).map(finished)
  await oracle.quiet()
  fs.closeSync(gateFd)
  const lost = results.flatMap(({ code, stderr }) =>
    code === undefined || (stderr === '' && [0, 3].includes(code)) ? [] : [`a run ended with ${code}: ${stderr}`],
  )
  const looks = await views.stop()
  lost.push(...(await reading.stop()))
  if (looks < 10) lost.push(`the readers looked ${looks} times only`)
  for (const [index, { code }] of results.entries()) if (code !== undefined) oracle.noteSurvival(`${index}`)
  oracle.letTimePass()
  await rig.run(['repair'])
  if (oracle.started().length !== CROWD && victims.length === 0)
    lost.push(`${oracle.started().length} of ${CROWD} began`)
  const killed = results.filter(({ code }) => code === undefined).length
  if (killedShare > 0 && killed < CROWD / 20) lost.push(`only ${killed} were killed in time`)
  return { faults: killed || CROWD, lost: [...lost, ...oracle.compare(TEXT)] }
}

/** Asks the program itself over and over; it must always answer with whole JSON. */
function readOn(ask: () => Promise<{ code: number | undefined; stdout: string; stderr: string }>): {
  stop: () => Promise<string[]>
} {
  let stopped = false
  const reading = (async () => {
    const problems: string[] = []
    while (!stopped) {
      const { code, stdout, stderr } = await ask()
      try {
        JSON.parse(stdout)
      } catch {
        problems.push(`status --json: ${code} ${stderr} ${stdout.slice(0, 80)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    return problems
  })()
  return {
    stop: () => {
      stopped = true
      return reading
    },
  }
}

export const CROWD_SCENARIOS: readonly Scenario[] = [0, 0.2].flatMap((share) =>
  [1, 20, 400].map((jobs) => ({
    name: `${CROWD} runs at once of ${jobs === 1 ? '1 job' : `${jobs} jobs`}${share === 0 ? '' : `, ${share * 100} % killed`}`,
    // With some killed, those that are not are compared as strictly; one job and as many as runs are the extremes.
    isLong: share === 0 || jobs === 20,
    run: (context: Context) => crowd(jobs, share, context),
  })),
)
