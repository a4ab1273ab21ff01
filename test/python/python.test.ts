import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'

test('the Python modules pass their own tests', async () => {
  await using rig = createRig()
  const result = await rig.spawn('python3', [join(import.meta.dirname, 'test_beside_cronwrap.py')])
  const report = Buffer.from(result.stderr).toString()
  expect(result.exitCode, report).toBe(0)
  expect(report).toMatch(/^Ran \d\d? tests in/m)
})
