import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'

test('cronwrap.json asks for metrics after each run, each delivery, each check', async () => {
  await using rig = createRig()
  const path = rig.path('cronwrap.prom')
  const metrics = (): string => fs.readFileSync(path, 'utf8')
  fs.outputJsonSync(rig.home.config, { metrics: { out: path } })
  expect(await rig.run(['--job', 'job', '--', 'sh', '-c', 'exit 3'])).toMatchObject({ code: 3, stdout: '', stderr: '' })
  expect(metrics()).toMatch(/^cronwrap_job_last_exit_code\{job="job",host="[^"]+"\} 3$/m)
  await rig.run(['delivery', 'job', 'm1'])
  expect(metrics()).toMatch(/^cronwrap_job_deliveries_total\{job="job",host="[^"]+",status="sent"\} 1$/m)
  await rig.run(['record', 'elsewhere', '--status', 'success', '--duration-ms', '5'])
  expect(metrics()).toContain('job="elsewhere"')
  fs.removeSync(path)
  expect(await rig.run(['check'])).toMatchObject({ code: 0 })
  expect(metrics()).toMatch(/# EOF\n$/)
})

test.each([
  [{ metrics: { out: '/nowhere/cronwrap.prom' } }, 'the metrics cannot be written to "/nowhere/cronwrap.prom"'],
  [{ metrics: '/tmp/x' }, 'metrics is not {"out": "<file>"}'],
  [{ notify: [] }, 'notify is not an object'],
])('%j changes nothing of a run; check tells of it', async (config, why) => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, config)
  expect(await rig.run(['--job', 'job', '--', 'echo', 'out'])).toMatchObject({ code: 0, stdout: 'out\n', stderr: '' })
  expect(await rig.run(['check'])).toMatchObject({ code: 1, stdout: expect.stringContaining(why) as string })
})
