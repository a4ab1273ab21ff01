import { execa } from 'execa'
import { strict as assert } from 'node:assert'
import type { RunFinished } from '../../../src/record/event.ts'
import { BIN } from '../../support/rig.ts'
import type { Called } from './gateway.ts'
import type { World } from './world.ts'

/** What `cronwrap doctor` and its neighbours must say about a job. */
export interface Told {
  /** Ids of findings about the job that must be there; none: there must be none. */
  readonly findings: readonly string[]
  /** OpenClaw delivered the result of the last run. */
  readonly delivered: boolean
}

/** Calls the built program in the environment of the user who runs OpenClaw. */
export async function cronwrap({ gateway, directory }: World, ...words: string[]): Promise<Called> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [BIN, ...words], {
    cwd: directory,
    env: gateway.env,
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: 120_000,
  })
  return { code: exitCode, stdout, stderr }
}

/** The runs of a job, once the record of one that was killed has been finished. */
export async function runsOf(world: World, job: string): Promise<RunFinished[]> {
  const status = await cronwrap(world, 'status')
  assert.equal(status.code, 0, `cronwrap status: ${status.stderr}`)
  const { stdout } = await cronwrap(world, 'runs', job, '--json')
  return stdout === '' ? [] : (JSON.parse(stdout) as RunFinished[])
}

/** The one run of a job that ran once. */
export async function onlyRunOf(world: World, job: string): Promise<RunFinished> {
  const [run, ...others] = await runsOf(world, job)
  assert.ok(run, `cronwrap has no run of ${job}`)
  assert.equal(others.length, 0, `cronwrap has ${others.length} more runs of ${job}`)
  return run
}

export async function logOf(world: World, job: string): Promise<string> {
  return (await cronwrap(world, 'logs', job)).stdout
}

/** @returns what the commands that look into OpenClaw got wrong about the job */
export async function commandsOn(world: World, job: string, told: Told): Promise<string[]> {
  // The delivery first: while it is not on record, the doctor says so.
  const checks = [
    ...(told.delivered ? [() => checkDelivery(world, job)] : []),
    () => checkDoctor(world, job, told),
    () => checkLint(world),
  ]
  const reasons: string[] = []
  for (const check of checks) reasons.push(...(await reasonsOf(check)))
  return reasons
}

export async function reasonsOf(check: () => Promise<void>): Promise<string[]> {
  try {
    await check()
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

interface Finding {
  readonly id: string
  readonly severity: string
  /** Null for what concerns the machine, which is not for a test to decide. */
  readonly job: string | null
  readonly seen: string
  readonly means: string
  readonly next: string
}

async function checkDoctor(world: World, job: string, told: Told): Promise<void> {
  const called = await cronwrap(world, 'doctor', job, '--json')
  const { healthy, findings } = jsonOf('doctor', called) as { healthy: boolean; findings: Finding[] }
  const all = findings.map((finding) => `${finding.id} (${finding.job}): ${finding.seen}`).join('; ')
  const said = `doctor ${job}: exit code ${called.code}, healthy ${healthy}, findings: ${all}`
  assert.equal(
    healthy,
    findings.every(({ severity }) => severity === 'note'),
    said,
  )
  assert.equal(called.code, healthy ? 0 : 1, said)
  for (const { severity, seen, means, next } of findings) {
    for (const text of [severity, seen, means, next]) assert.ok(typeof text === 'string' && text !== '', said)
  }
  const ids = findings.filter((finding) => finding.job === job).map(({ id }) => id)
  for (const id of told.findings) assert.ok(ids.includes(id), `no ${id} in: ${said}`)
  if (told.findings.length === 0) assert.deepEqual(ids, [], said)
}

async function checkLint(world: World): Promise<void> {
  const called = await cronwrap(world, 'openclaw', 'lint', '--json')
  assert.ok(called.code === 0 || called.code === 1, `openclaw lint: exit code ${called.code}: ${called.stderr}`)
  const { jobs, findings } = jsonOf('openclaw lint', called) as { jobs: number; findings: Record<string, unknown>[] }
  assert.ok(jobs > 0, `openclaw lint: ${jobs} jobs`)
  for (const finding of findings) {
    for (const key of ['rule', 'severity', 'job', 'seen', 'why', 'fix']) {
      assert.equal(typeof finding[key], 'string', `openclaw lint: ${key} in ${JSON.stringify(finding)}`)
    }
  }
}

async function checkDelivery(world: World, job: string): Promise<void> {
  const { code, stderr } = await cronwrap(world, 'delivery', '--from-openclaw', job)
  assert.equal(code, 0, `delivery --from-openclaw ${job}: exit code ${code}: ${stderr}`)
}

function jsonOf(command: string, { code, stdout, stderr }: Called): unknown {
  try {
    return JSON.parse(stdout) as unknown
  } catch (cause) {
    throw new Error(`${command}: exit code ${code}, no JSON: ${stdout}${stderr}`, { cause })
  }
}
