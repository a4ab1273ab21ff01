import fs from 'fs-extra'
import { expect, test } from 'vitest'
import type { JobSchedule } from '../../src/record/event.ts'
import { createRig } from '../support/rig.ts'

const SCHEDULE: JobSchedule = { expression: '30 2 * * *', tz: 'Europe/Berlin', grace_ms: 300_000 }

test('schedule set, remove, and the table of what is known', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { jobs: { backup: { grace: '5m' } } })
  expect((await rig.run(['schedule'])).stdout).toMatch(/^no job has a schedule/)
  const set = await rig.run(['schedule', 'set', 'backup', '30 2 * * *', '--tz', 'Europe/Berlin'])
  expect(set.stdout).toMatch(
    /^backup: 30 2 \* \* \*; next \d{4}-\d\d-\d\d \d\d:\d\d:00 \(in \d+[smh]\); no run of it is on record yet\n$/,
  )
  expect(rig.summary()['backup']?.schedule).toMatchObject({ ...SCHEDULE, source: 'command' })
  const interval = await rig.run(['schedule', 'set', 'sync', 'every', '30m', '--grace', '0', '--json'])
  expect(JSON.parse(interval.stdout)).toEqual({
    job: 'sync',
    expression: 'every 30m',
    tz: null,
    grace_ms: 0,
    next: null,
  })
  await rig.run(['--job', 'sync', '--', 'true'])
  await rig.run(['--job', 'bad', '--schedule', '0 0 31 2 *', '--', 'true'])

  const rows = (await rig.run(['schedule'])).stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  expect(rows.map((row) => row.slice(0, 5))).toEqual([
    ['JOB', 'SCHEDULE', 'ZONE', 'GRACE', 'FROM'],
    ['backup', '30 2 * * *', 'Europe/Berlin', '5m', 'command'],
    ['bad', '0 0 31 2 *', 'local', '10m', 'run'],
    ['sync', 'every 30m', '-', '0ms', 'command'],
  ])
  expect(rows[0]?.slice(5)).toEqual(['NEXT', 'LAST MISSED'])
  expect(rows[2]?.[5]).toContain('it is never due')
  expect(rows[3]?.slice(6)).toEqual([expect.stringMatching(/^in 2\dm$/), '-'])
  const listed = JSON.parse((await rig.run(['schedule', '--json'])).stdout) as { next: string | null; since: string }[]
  const started = Date.parse(rig.summary()['sync']?.last_run ?? '')
  expect(listed[2]).toMatchObject({ job: 'sync', source: 'command', problem: null, last_missed: null })
  expect(Date.parse(listed[2]?.next ?? '')).toBe(started + 1_800_000)

  expect((await rig.run(['schedule', 'remove', 'backup'])).stdout).toBe('backup: no schedule any more\n')
  expect((await rig.run(['schedule', 'remove', 'backup'])).stdout).toBe('backup has no schedule\n')
  expect((await rig.run(['schedule', 'remove', 'bad'])).stdout).toContain('has the last word')
  expect(rig.summary()['backup']?.schedule).toBeNull()
  const unknown = await rig.run(['schedule', 'remove', 'synk'])
  expect(unknown).toMatchObject({ code: 125, stderr: expect.stringContaining('did you mean sync?') as string })
})

test('what cannot be is refused, and nothing is recorded', async () => {
  await using rig = createRig()
  const refused = async (message: string, ...words: string[]): Promise<void> => {
    const { code, stderr, stdout } = await rig.run(['schedule', ...words])
    expect(stderr, words.join(' ')).toContain(message)
    expect([code, stdout]).toEqual([125, ''])
  }
  await refused('cannot be used', 'set', 'x', '0 0 31 2 *')
  await refused('in Mars/X cannot be used', 'set', 'x', '@daily', '--tz', 'Mars/X')
  await refused('is not a schedule', 'set', 'x', 'tomorrow')
  await refused('is not a duration', 'set', 'x', '@daily', '--grace', '5')
  await refused('cannot name a job', 'set', '../x', '@daily')
  await refused('usage:', 'set', 'x')
  await refused('usage:', 'forget', 'x')
  await refused('usage:', 'import', 'x')
  await refused('--grace does not go with this', 'import', '--grace', '5m')
  await refused('--undo does not go with this', '--undo')
  await refused('--system says of what form', 'import', '--system')
  await refused('--file does not go with it', 'import', '--undo', '--file', 'x')
  await refused('/nowhere cannot be read', 'import', '--file', '/nowhere')
  expect(fs.existsSync(rig.home.base)).toBe(false)
  fs.ensureDirSync(rig.home.journal)
  await refused('the schedule could not be recorded', 'set', 'x', '@daily')
})
