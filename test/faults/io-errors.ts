import { createRig, type Rig } from '../support/rig.ts'
import { Oracle } from './oracle.ts'
import { eachCase, type Context, type Outcome, type Scenario } from './scenario.ts'
import { onRecords, runTraced, straceUnavailable, type Call } from './trace.ts'

const TEXT = 'what the job printed'
const ERRORS = ['ENOSPC', 'EIO', 'EACCES', 'EROFS', 'EMFILE']
const RECORDING = 'write,writev,fsync,fdatasync,rename,link,openat,mkdir,close,unlink,rmdir,utimensat'

interface Case extends Call {
  readonly error: string
}

/** One call of the recording fails; the job must not notice, and once all works again nothing may be missing. */
async function failEachCall(earlierRuns: number, { soak }: Context): Promise<Outcome> {
  const prepare = async (rig: Rig, oracle: Oracle): Promise<void> => {
    for (let run = 0; run < earlierRuns; run++) await rig.run(oracle.words('subject', TEXT, 3))
    oracle.noteSurvival('subject')
  }
  const calls = await callsOf(prepare)
  // Each call fails in each way during a soak, else in one of them, turn about.
  const cases = calls.flatMap((call, index) =>
    ERRORS.filter((_, way) => soak || (index + way) % 4 === 0).map((error) => ({ ...call, error })),
  )
  let missed = 0
  const outcome = await eachCase(
    cases,
    3,
    ({ name, number, error }) => `strace -e inject=${name}:error=${error}:when=${number}`,
    async (each) => {
      await using rig = createRig()
      const oracle = new Oracle(rig)
      await prepare(rig, oracle)
      const run = await runTraced(rig, oracle.words('subject', TEXT, 3), { inject: injection(each), watch: RECORDING })
      // The order of calls may differ a little; a call that is not of the recording may break what it likes.
      const hit = run.calls.find(({ line }) => line.includes('(INJECTED)'))
      if (hit === undefined || !onRecords(hit, rig)) {
        missed += 1
        return []
      }
      oracle.noteSurvival('subject', run.stderr !== '')
      const problems = unharmed(run)
      oracle.letTimePass()
      const after = await rig.run(oracle.words('after', TEXT, 0))
      oracle.noteSurvival('after')
      if (after.code !== 0 || after.stderr !== '') problems.push(`the next run: ${after.code} ${after.stderr}`)
      return [...problems, ...oracle.compare(TEXT)]
    },
  )
  return { ...outcome, faults: outcome.faults - missed }
}

function injection({ name, number, error }: Case): string {
  return `${name}:error=${error}:when=${number}`
}

function unharmed({ code, stdout, stderr }: { code: number | undefined; stdout: string; stderr: string }): string[] {
  const problems: string[] = []
  if (code !== 3) problems.push(`the exit code became ${code}: ${stderr}`)
  if (stdout !== `${TEXT}\n`) problems.push(`the output became ${JSON.stringify(stdout)}`)
  const lines = stderr.split('\n').filter(Boolean)
  if (lines.length > 1 || lines.some((line) => !line.startsWith('cronwrap: ')))
    problems.push(`stderr holds ${JSON.stringify(stderr)}`)
  return problems
}

async function callsOf(prepare: (rig: Rig, oracle: Oracle) => Promise<void>): Promise<Call[]> {
  await using rig = createRig()
  const oracle = new Oracle(rig)
  await prepare(rig, oracle)
  const { calls } = await runTraced(rig, oracle.words('subject', TEXT, 3), { watch: RECORDING })
  return calls.filter((call) => onRecords(call, rig))
}

export const IO_ERROR_SCENARIOS: readonly Scenario[] = [
  { name: 'an I/O error in each call of a first run', earlierRuns: 0 },
  { name: 'an I/O error in each call of a run that raises an alert', earlierRuns: 2 },
].map(({ name, earlierRuns }) => ({
  name,
  unavailable: straceUnavailable,
  run: (context) => failEachCall(earlierRuns, context),
}))
