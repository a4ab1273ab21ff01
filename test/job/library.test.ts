import fs from 'fs-extra'
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { getAlerts, getSummary, recordDelivery, recordRun, runJob, CronwrapError } from '../../src/index.ts'
import { createRig } from '../support/rig.ts'

test('the library runs, records and reads as the commands do', async () => {
  await using rig = createRig()
  const home = rig.home.base
  const result = await runJob({ home, job: 'lib', command: ['sh', '-c', 'echo out; exit 3'], tee: 'none' })
  expect(result).toMatchObject({
    job: 'lib',
    exitCode: 3,
    notStarted: null,
    problems: [],
    run: { reason: 'exit', stdout_bytes: 4 },
  })
  for (let round = 0; round < 2; round++)
    await recordRun({ home, job: 'lib', status: 'error', durationMs: 5, stderr: [Buffer.from('bad\n')] })
  expect(getSummary({ home })['lib']).toMatchObject({ total_runs: 3, consecutive_errors: 3, last_error: 'bad' })
  expect(getAlerts({ home })).toMatchObject([{ job_id: 'lib', message: '3 consecutive failures' }])
  expect(await recordDelivery({ home, job: 'lib', messageId: '007' })).toMatchObject({ recorded: true })
  expect(await recordDelivery({ home, job: 'lib', messageId: '007' })).toMatchObject({ recorded: false })
  await expect(recordDelivery({ home, job: 'nobody', messageId: '1' })).rejects.toThrow(CronwrapError)
  await expect(runJob({ home, command: [] })).rejects.toThrow('there is no command to run')
})

test("the host program's descriptors, signals and listeners stay its own", async () => {
  await using rig = createRig()
  const fd = fs.openSync(rig.write('secret', 'x'), 'r')
  const listeners = (): number =>
    ['SIGTERM', 'SIGINT', 'SIGHUP'].reduce((sum, name) => sum + process.listenerCount(name), 0)
  const before = listeners()
  const pieces: string[] = []
  const stdout = new Writable({ write: (chunk: Buffer, _, done) => (pieces.push(chunk.toString()), done()) })
  for (let round = 0; round < 12; round++) {
    await runJob({ home: rig.home.base, job: 'host', command: ['sh', '-c', 'readlink /proc/self/fd/*'], stdout })
  }
  fs.closeSync(fd)
  expect(pieces.join('')).not.toContain('secret')
  expect(listeners()).toBe(before)
  expect(stdout.listenerCount('drain')).toBe(0)
  expect(stdout.listenerCount('error')).toBeLessThanOrEqual(1)
})

test('a stream of the host that was destroyed ends nothing', async () => {
  await using rig = createRig()
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done() })
  stdout.destroy()
  expect(await runJob({ home: rig.home.base, job: 'gone', command: ['echo', 'x'], stdout })).toMatchObject({
    exitCode: 0,
  })
})
