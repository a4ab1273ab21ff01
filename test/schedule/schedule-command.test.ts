import fs from 'fs-extra'
import { expect, test } from 'vitest'
import type { JobSchedule } from '../../src/record/event.ts'
import { createRig, until } from '../support/rig.ts'

const SCHEDULE: JobSchedule = { expression: '30 2 * * *', tz: 'Europe/Berlin', grace_ms: 300_000 }

test('schedule set, remove, and the table of what is known', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { jobs: { backup: { grace: '5m' } } })
  expect((await rig.run(['schedule'])).stdout).toMatch(/^no job has a schedule/)
  const set = await rig.run(['schedule', 'set', 'backup', '30 2 * * *', '--tz', 'Europe/Berlin'])
  expect(set.stdout).toMatch(
    /^backup: 30 2 \* \* \* Europe\/Berlin, grace 5m; next \d{4}-\d\d-\d\d \d\d:\d\d:00 \(in \d+[smh]\); no run of it is on record yet\n$/,
  )
  expect(rig.summary()['backup']?.schedule).toMatchObject({ ...SCHEDULE, source: 'command' })
  const interval = await rig.run(['schedule', 'set', 'sync', 'every', '30m', '--grace', '0', '--json'])
  const since = Date.parse(rig.summary()['sync']?.schedule?.since ?? '')
  const shown = JSON.parse(interval.stdout) as { next: string }
  expect(shown).toMatchObject({ job: 'sync', expression: 'every 30m', tz: null, grace_ms: 0 })
  expect(Date.parse(shown.next)).toBe(since + 1_800_000)
  await rig.run(['--job', 'sync', '--', 'true'])
  await rig.run(['--job', 'bad', '--schedule', '0 0 31 2 *', '--', 'true'])

  const lines = (await rig.run(['schedule'])).stdout.trimEnd().split('\n')
  const below = lines.pop()
  const rows = lines.map((line) => line.split(/ {2,}/))
  expect(rows.map((row) => row.slice(0, 5))).toEqual([
    ['JOB', 'SCHEDULE', 'ZONE', 'GRACE', 'FROM'],
    ['backup', '30 2 * * *', 'Europe/Berlin', '5m', 'command'],
    ['bad', '0 0 31 2 *', 'local', '10m', 'run'],
    ['sync', 'every 30m', '-', '0ms', 'command'],
  ])
  expect(rows[0]?.slice(5)).toEqual(['NEXT', 'LAST MISSED'])
  expect(rows[2]?.slice(5)).toEqual(['cannot be used', '-'])
  expect(below).toBe('bad: the schedule "0 0 31 2 *" cannot be used: it is never due')
  expect(rows[3]?.slice(6)).toEqual([expect.stringMatching(/^in 2\dm$/), '-'])
  const listed = JSON.parse((await rig.run(['schedule', '--json'])).stdout) as { next: string | null; since: string }[]
  const started = Date.parse(rig.summary()['sync']?.last_run ?? '')
  expect(listed[2]).toMatchObject({ job: 'sync', source: 'command', problem: null, last_missed: null })
  expect(Date.parse(listed[2]?.next ?? '')).toBe(started + 1_800_000)

  expect((await rig.run(['schedule', 'remove', 'backup'])).stdout).toBe('backup: no schedule any more\n')
  // It never ran: with its schedule nothing of it is left.
  expect((await rig.run(['schedule', 'remove', 'backup'])).stderr).toContain('no schedule of a job "backup" is known')
  expect((await rig.run(['schedule', 'remove', 'bad'])).stdout).toContain('has the last word')
  expect(rig.summary()['backup']).toBeUndefined()
  const unknown = await rig.run(['schedule', 'remove', 'synk'])
  expect(unknown.code).toBe(125)
  expect(unknown.stderr).toContain('no schedule of a job "synk" is known')
  expect(unknown.stderr).toContain('did you mean sync?')
  // A job that has none is not meant.
  expect((await rig.run(['schedule', 'remove', 'backu'])).stderr).toContain('cronwrap schedule lists those that are')
  expect((await rig.run(['schedule', 'set', 'backup', '@daily'])).stdout).toContain(
    '@daily local time, grace 5m; next ',
  )
  expect((await rig.run(['schedule', 'set', 'x', 'every 2h'])).stdout).toMatch(
    /^x: every 2h, grace 10m; next .*\(in [12]h/,
  )
})

test('what is set by hand takes grace, jitter and time zone from the settings of the job', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { jobs: { job: { grace: '5m', jitter: '30m', tz: 'Asia/Shanghai' } } })
  expect((await rig.run(['schedule', 'set', 'job', '0 9 * * *'])).stdout).toContain('Asia/Shanghai, grace 35m; ')
  const schedule = { expression: '0 9 * * *', tz: 'Asia/Shanghai', grace_ms: 2_100_000 }
  expect(rig.summary()['job']?.schedule).toMatchObject(schedule)
  await rig.run(['schedule', 'set', 'job', '0 9 * * *', '--tz', 'UTC', '--grace', '1m'])
  expect(rig.summary()['job']?.schedule).toMatchObject({ ...schedule, tz: 'UTC', grace_ms: 1_860_000 })
})

test('a job that runs is not overdue', async () => {
  await using rig = createRig()
  await rig.run(['schedule', 'set', 'job', 'every 100ms'])
  const going = rig.start(['--job', 'job', '--', 'sleep', '60'])
  await until('it runs', () => rig.running().length === 1)
  await until('it has been long enough', () => Date.now() - fs.statSync(rig.home.running).mtimeMs > 200)
  const before = Date.now()
  expect((await rig.run(['schedule'])).stdout).not.toContain('overdue')
  const { stdout } = await rig.run(['status', 'job'])
  expect(Date.parse(/; next (\S+)/.exec(stdout)?.[1] ?? '')).toBeGreaterThan(before - 1000)
  const [listed] = JSON.parse((await rig.run(['schedule', '--json'])).stdout) as { next: string }[]
  expect(Date.parse(listed?.next ?? '')).toBeGreaterThan(before - 1000)
  going.kill('SIGTERM')
  await going
  expect((await rig.run(['schedule'])).stdout).toContain('overdue')
})

test('an interval that is over is overdue, and one of a job that never ran begins when it was said', async () => {
  await using rig = createRig()
  await rig.run(['schedule', 'set', 'quick', 'every 10ms'])
  await rig.run(['schedule', 'set', 'slow', 'every 90d'])
  await rig.run(['schedule', 'set', 'slow', 'every 90d'])
  const [, quick = '', slow = ''] = (await rig.run(['schedule'])).stdout.split('\n').map((line) => line.split(/ {2,}/))
  expect(quick.slice(5)).toEqual(['overdue', '-'])
  expect(slow.slice(6)).toEqual([expect.stringMatching(/^in (?:90|89)d$/), '-'])
  const [, listed] = JSON.parse((await rig.run(['schedule', '--json'])).stdout) as { next: string; since: string }[]
  expect(Date.parse(listed?.next ?? '') - Date.parse(listed?.since ?? '')).toBe(90 * 86_400_000)
})

test('what cronwrap.json says is changed there', async () => {
  await using rig = createRig()
  const refused = async (message: string, hint: string): Promise<void> => {
    for (const words of [
      ['set', 'ok', '@daily'],
      ['remove', 'ok'],
    ]) {
      const { code, stderr } = await rig.run(['schedule', ...words])
      expect(code).toBe(125)
      expect(stderr).toContain(message)
      expect(stderr).toContain(hint)
    }
  }
  fs.outputJsonSync(rig.home.config, { jobs: { ok: { schedule: '0 5 * * *' } } })
  await refused('cronwrap.json says when "ok" is due', `change it there: ${rig.home.config}`)
  expect(rig.events()).toEqual([])
  await rig.run(['check'])
  fs.removeSync(rig.home.config)
  await refused('cronwrap.json said when "ok" is due', 'cronwrap check takes that over')
  await rig.run(['check'])
  expect((await rig.run(['schedule', 'set', 'ok', '@daily'])).code).toBe(0)
  // What this shell exports is no word of the file.
  rig.env['CRONWRAP_SCHEDULE'] = '@hourly'
  expect((await rig.run(['schedule', 'remove', 'ok'])).code).toBe(0)
})

test('a word that is no action is told what there is', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'backup', '--', 'true'])
  expect((await rig.run(['schedule', 'backup'])).stderr).toContain('did you mean: cronwrap status backup')
  const { stderr, code } = await rig.run(['schedule', 'list'])
  expect(code).toBe(125)
  expect(stderr).toContain('usage: cronwrap schedule [import')
  expect(stderr).toContain('alone it lists what is known')
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
