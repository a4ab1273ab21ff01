import fs from 'fs-extra'
import { expect, test } from 'vitest'
import {
  rewriteGenerationLock,
  tryGenerationLock,
  type LockAttempt,
  type LockOwner,
} from '../../src/platform/generation-lock.ts'
import { livenessOf, ownIdentity } from '../../src/platform/process-identity.ts'
import { signalProcess } from '../../src/platform/process-tree.ts'
import { createRig, type Rig } from '../support/rig.ts'

const owner = (run_id: string): LockOwner => ({ ...ownIdentity(), run_id })
const dead = (run_id: string): LockOwner => ({ ...owner(run_id), start: '1' })

function take(rig: Rig, name: string, by: LockOwner): LockAttempt {
  return tryGenerationLock(rig.directory, name, by, (holder) => livenessOf(holder) === 'dead')
}

test('is held by one, and free when released or when its holder is dead', async () => {
  await using rig = createRig()
  expect(take(rig, 'job', owner('a')).kind).toBe('held')
  expect(take(rig, 'job', owner('b'))).toMatchObject({ kind: 'busy', owner: { run_id: 'a' } })
  rewriteGenerationLock(rig.directory, 'job', 'b', null)
  expect(take(rig, 'job', owner('b')).kind).toBe('busy')
  rewriteGenerationLock(rig.directory, 'job', 'a', null)
  expect(take(rig, 'job', dead('c')).kind).toBe('held')
  expect(take(rig, 'job', owner('d')).kind).toBe('held')
  expect(fs.readdirSync(rig.directory).filter((name) => name.startsWith('job.'))).toEqual(['job.3'])
})

test('jobs with names that begin alike do not meet, and an unreadable owner is nobody', async () => {
  await using rig = createRig()
  take(rig, 'job', owner('a'))
  expect(take(rig, 'job.1', owner('b')).kind).toBe('held')
  rig.write('other.7', '{"run_id": "torn')
  expect(take(rig, 'other', owner('c')).kind).toBe('held')
})

test('11: a pid that another process got meanwhile is not signalled', async () => {
  await using rig = createRig()
  const bystander = rig.spawn('sleep', ['0.4'])
  signalProcess({ pid: bystander.pid ?? 0, parent: 0, start: '1' }, 'SIGKILL')
  expect((await bystander).exitCode).toBe(0)
})
