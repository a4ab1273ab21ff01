import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { cronwrap, logOf, onlyRunOf, runsOf, type Told } from './cronwrap.ts'
import { addAgentJob, addCommandJob, runJob } from './jobs.ts'
import type { World } from './world.ts'

export interface Scenario {
  /** Also the job's name. */
  readonly name: string
  readonly run: (world: World, name: string) => Promise<void>
  /** What is said of the job afterwards; null where there is none. */
  readonly told: Told | null
}

const FAILED: Told = { findings: ['run-failed'], delivered: false }

async function succeeds(world: World, name: string): Promise<void> {
  const webhook = world.receiver.url(name)
  const words = ['--timeout', '500s', '--on-failure-line', '--', 'sh', '-c', 'echo the report']
  const run = await runJob(world, await addCommandJob(world, { name, words, webhook }))
  assert.equal(run.status, 'ok', `OpenClaw: ${run.error}`)
  assert.equal(run.summary, 'the report', 'the summary is the output of the job and nothing else')
  const delivered = world.receiver.deliveredTo(webhook)
  assert.deepEqual(
    delivered.map(({ body }) => [body['status'], body['summary']]),
    [['ok', 'the report']],
  )
  assert.equal(run.deliveryStatus, 'delivered')
  const { status, exit_code } = await onlyRunOf(world, name)
  assert.deepEqual({ status, exit_code }, { status: 'success', exit_code: 0 })
}

async function fails(world: World, name: string): Promise<void> {
  const words = ['--on-failure-line', '--', 'sh', '-c', 'echo half of it; echo no such table >&2; exit 3']
  const run = await runJob(world, await addCommandJob(world, { name, words }))
  assert.equal(run.status, 'error')
  assert.equal(run.error, 'command exited with code 3')
  const ours = linesOf(run.summary).filter((line) => line.includes(name))
  assert.equal(ours.length, 1, `one line of cronwrap in: ${run.summary}`)
  for (const part of ['exit 3', 'no such table', `${name}.log`]) {
    assert.ok(ours[0]?.includes(part), `"${part}" in: ${ours[0]}`)
  }
  const others = linesOf(run.summary).filter((line) => line !== ours[0])
  assert.deepEqual(others, ['stdout:', 'half of it', '', 'stderr:', 'no such table'])
  const { reason, exit_code } = await onlyRunOf(world, name)
  assert.deepEqual({ reason, exit_code }, { reason: 'exit', exit_code: 3 })
}

/** Without `exec`: a zombie that the shell leaves would make OpenClaw drop the output. */
async function timesOut(world: World, name: string): Promise<void> {
  const words = ['--timeout', '3s', '--on-failure-line', '--', 'sh', '-c', 'echo half of it; sleep 60']
  const run = await runJob(world, await addCommandJob(world, { name, words, timeoutSeconds: 8 }))
  assert.equal(run.error, 'command exited with code 124')
  assert.ok(linesOf(run.summary).includes('half of it'), `the output in: ${run.summary}`)
  assert.ok(run.summary?.includes('timeout'), `the reason in: ${run.summary}`)
  const { reason, exit_code } = await onlyRunOf(world, name)
  assert.deepEqual({ reason, exit_code }, { reason: 'timeout', exit_code: 124 })
  assert.match(await logOf(world, name), /^half of it$/m)
}

/** OpenClaw loses the output then, as far as we know always; the record keeps it. */
async function isKilled(world: World, name: string): Promise<void> {
  const job = `trap '' TERM; echo half of it; sleep 60`
  const words = ['--on-failure-line', '--', 'sh', '-c', job]
  const run = await runJob(world, await addCommandJob(world, { name, words, timeoutSeconds: 3 }))
  assert.match(run.error ?? '', /timed out/)
  const { status, reason, stdout_bytes } = await onlyRunOf(world, name)
  assert.equal(status, 'error')
  assert.ok(['interrupted', 'signal'].includes(reason), `interrupted: ${reason}`)
  assert.equal(stdout_bytes, Buffer.byteLength('half of it\n'))
  assert.match(await logOf(world, name), /^half of it$/m)
}

async function agentLies(world: World, name: string): Promise<void> {
  const command = `cronwrap --job ${name} -- sh -c 'echo half of it; exit 3'`
  const id = await addAgentJob(world, { name, command, obeys: true, says: 'All done.' })
  const run = await runJob(world, id)
  assert.deepEqual([run.status, run.completionStatus, run.summary], ['ok', 'succeeded', 'All done.'])
  const { status, reason, exit_code } = await onlyRunOf(world, name)
  assert.deepEqual({ status, reason, exit_code }, { status: 'error', reason: 'exit', exit_code: 3 })
  assert.match(await logOf(world, name), /^half of it$/m)
}

async function agentDoesNothing(world: World, name: string): Promise<void> {
  const command = `cronwrap --job ${name} -- true`
  const id = await addAgentJob(world, { name, command, obeys: false, says: 'All done.' })
  const run = await runJob(world, id)
  assert.deepEqual([run.status, run.completionStatus, run.summary], ['ok', 'succeeded', 'All done.'])
  assert.deepEqual(await runsOf(world, name), [])
}

/** The line that cronwrap makes; the channel it names has no account here, so the message cannot be sent. */
async function isAddedByCronwrap(world: World, name: string): Promise<void> {
  const target = ['--schedule', '0 7 29 2 *', '--tz', 'UTC', '--channel', 'telegram', '--to', '4242']
  const words = ['openclaw', 'add', name, ...target, '--timeout', '180s', '--apply', '--', 'sh', '-c', 'echo hello']
  const { code, stdout, stderr } = await cronwrap(world, ...words)
  assert.equal(code, 0, `openclaw add: ${stderr}`)
  const run = await runJob(world, (JSON.parse(stdout) as { id: string }).id)
  assert.equal(run.summary, 'hello')
  assert.equal(run.deliveryStatus, 'not-delivered')
  const { status, command } = await onlyRunOf(world, name)
  assert.equal(status, 'success')
  assert.match(command[0] ?? '', /^\/.*\/sh$/)
}

async function skillIsEligible({ gateway }: World): Promise<void> {
  const skill = join(import.meta.dirname, '../../../examples/openclaw/cronwrap')
  await gateway.call(['skills', 'install', skill])
  const info = (await gateway.json(['skills', 'info', 'cronwrap', '--json'])) as {
    eligible?: boolean
    missing?: { bins?: string[] }
  }
  assert.equal(info.eligible, true, JSON.stringify(info))
  assert.deepEqual(info.missing?.bins, [])
}

function linesOf(text = ''): string[] {
  return text.split('\n')
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'command-succeeds', run: succeeds, told: { findings: [], delivered: true } },
  { name: 'command-exits-3', run: fails, told: FAILED },
  { name: 'command-reaches-our-timeout', run: timesOut, told: FAILED },
  { name: 'command-is-killed-by-openclaw', run: isKilled, told: FAILED },
  { name: 'agent-lies', run: agentLies, told: { findings: ['openclaw-ok-command-failed'], delivered: false } },
  {
    name: 'agent-does-nothing',
    run: agentDoesNothing,
    told: { findings: ['command-never-started'], delivered: false },
  },
  {
    name: 'added-by-cronwrap',
    run: isAddedByCronwrap,
    told: { findings: ['openclaw-not-delivered'], delivered: false },
  },
  { name: 'skill-is-eligible', run: skillIsEligible, told: null },
]
