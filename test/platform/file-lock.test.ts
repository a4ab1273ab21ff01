import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { withFileLock } from '../../src/platform/file-lock.ts'
import { createRig } from '../support/rig.ts'

test('a lock from the future, left before the clock was set back, blocks nobody', async () => {
  await using rig = createRig()
  const path = rig.path('view')
  fs.mkdirSync(`${path}.lock`)
  const ahead = new Date(Date.now() + 3_600_000)
  fs.utimesSync(`${path}.lock`, ahead, ahead)
  expect(await withFileLock(path, (held) => held(), { budgetMs: 500 })).toEqual({ kind: 'done', value: true })
  expect(fs.existsSync(`${path}.lock`)).toBe(false)
})

test('a held lock makes others wait no longer than they want, and what cannot be locked is said at once', async () => {
  await using rig = createRig()
  const path = rig.path('view')
  fs.mkdirSync(`${path}.lock`)
  expect(await withFileLock(path, () => 1, { budgetMs: 100 })).toEqual({ kind: 'busy' })
  expect(await withFileLock(path, () => 1, { hurry: () => true })).toEqual({ kind: 'busy' })
  expect(await withFileLock(path, () => 1, { unneeded: () => true })).toEqual({ kind: 'unneeded' })
  expect(await withFileLock(rig.path('no/such/place'), () => 1, { budgetMs: 100 })).toMatchObject({ kind: 'busy' })
  expect(await withFileLock(`${rig.write('file', '')}/below`, () => 1)).toMatchObject({ kind: 'unavailable' })
})

test('an error of the work is thrown, and the lock is free afterwards', async () => {
  await using rig = createRig()
  const path = rig.path('view')
  await expect(withFileLock(path, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
  expect(fs.existsSync(`${path}.lock`)).toBe(false)
})
