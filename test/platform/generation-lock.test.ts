import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { releaseGenerationLock, tryGenerationLock, type LockOwner } from '../../src/platform/generation-lock.ts'
import { ownIdentity } from '../../src/platform/process-identity.ts'
import { signalProcess } from '../../src/platform/process-tree.ts'
import { createRig } from '../support/rig.ts'

const owner = (run_id: string): LockOwner => ({ ...ownIdentity(), run_id })
const dead = (run_id: string): LockOwner => ({ ...owner(run_id), start: '1' })

test('is held by one, and free when released or when its holder is dead', async () => {
  await using rig = createRig()
  expect(tryGenerationLock(rig.directory, 'job', owner('a')).kind).toBe('held')
  expect(tryGenerationLock(rig.directory, 'job', owner('b'))).toMatchObject({ kind: 'busy', owner: { run_id: 'a' } })
  releaseGenerationLock(rig.directory, 'job', owner('b'))
  expect(tryGenerationLock(rig.directory, 'job', owner('b')).kind).toBe('busy')
  releaseGenerationLock(rig.directory, 'job', owner('a'))
  expect(tryGenerationLock(rig.directory, 'job', dead('c')).kind).toBe('held')
  expect(tryGenerationLock(rig.directory, 'job', owner('d')).kind).toBe('held')
  expect(fs.readdirSync(rig.directory).filter((name) => name.startsWith('job.'))).toEqual(['job.3'])
})

test('jobs with names that begin alike do not meet, and an unreadable owner is nobody', async () => {
  await using rig = createRig()
  tryGenerationLock(rig.directory, 'job', owner('a'))
  expect(tryGenerationLock(rig.directory, 'job.1', owner('b')).kind).toBe('held')
  rig.write('other.7', '{"run_id": "torn')
  expect(tryGenerationLock(rig.directory, 'other', owner('c')).kind).toBe('held')
})

test('11: a pid that another process got meanwhile is not signalled', async () => {
  await using rig = createRig()
  const bystander = rig.spawn('sleep', ['0.4'])
  signalProcess({ pid: bystander.pid ?? 0, parent: 0, start: '1' }, 'SIGKILL')
  expect((await bystander).exitCode).toBe(0)
})
