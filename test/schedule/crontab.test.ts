import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { findInSystemCrontabs } from '../../src/schedule/crontab-files.ts'
import { parseCrontab, type CronLine, type CrontabForm } from '../../src/schedule/crontab.ts'
import { createRig } from '../support/rig.ts'

const environmentOf = (user: string | null): NodeJS.ProcessEnv => ({ HOME: `/home/${user ?? 'me'}` })

function parse(form: CrontabForm, ...lines: readonly string[]): CronLine[] {
  return parseCrontab(lines.join('\n'), { name: 'crontab', form, environmentOf })
}

/** What is made of one line: `expression | command`, or why its times cannot be told. */
function read(form: CrontabForm, ...lines: readonly string[]): string {
  const [line] = parse(form, ...lines)
  if (line === undefined) return 'nothing'
  const { times, command } = line
  if (times.kind !== 'times') return `${times.kind}: ${times.reason}`
  return [times.expression, times.tz ?? '', command].filter((each) => each !== '').join(' | ')
}

test.each([
  ['0 9 * * * true', '0 9 * * * | true'],
  ['  \t*/5\t0-6,22  1 jan-mar Mon-Fri\t true  -x ', '*/5 0-6,22 1 jan-mar Mon-Fri | true  -x'],
  ['0 9 * * 0 a', '0 9 * * 0 | a'],
  ['0 9 * * 5-7 a', '0 9 * * 5-7 | a'],
  ['@daily true', '@daily | true'],
  ['@Midnight\ttrue', '@midnight | true'],
  ['@yearly a', '@yearly | a'],
  ['@annually a', '@annually | a'],
  ['@monthly a', '@monthly | a'],
  ['@weekly a', '@weekly | a'],
  ['@hourly a', '@hourly | a'],
  ['0 9 * * * true\r', '0 9 * * * | true'],
  ['-*/15 * * * * true', '*/15 * * * * | true'],
  ['30 0 9 * * 1-5 /srv/x.sh', '30 0 9 * * 1-5 | /srv/x.sh'],
  ['*/10 * * * * * true', '*/10 * * * * * | true'],
  ['0 9 * * 1 7z x.7z', '0 9 * * 1 | 7z x.7z'],
  ['0 9 * * 1 sunset', '0 9 * * 1 | sunset'],
])('a line of a user: %s', (line, expected) => {
  expect(read('user', line)).toBe(expected)
})

test.each([
  ['@reboot true', 'none: it runs when the machine starts'],
  ['0~59 9 * * * true', 'untold: in "0~59 9 * * *" cron itself chooses the time'],
  ['@fortnightly true', 'untold: "@fortnightly" is not a schedule'],
  ['60 9 * * * true', 'untold: "60 9 * * *" is not a schedule: 60 is not from 0 to 59'],
  ['0 0 31 2 * true', 'untold: the schedule "0 0 31 2 *" cannot be used: it is never due'],
  ['0 9 * *', 'untold: "0 9 * *" is no line of a crontab'],
  ['run this every day at nine', 'untold: "run this every day at nine" is no line of a crontab'],
  ['0 9 * * *', 'untold: "0 9 * * *" is no line of a crontab'],
])('times that cannot be told: %s', (line, expected) => {
  expect(read('user', line)).toBe(expected)
})

test('what is no command is passed over', () => {
  expect(parse('user', '\uFEFF# 0 9 * * * true', '', '   ', 'MAILTO=me', 'A = "b c"', "'B'='x'")).toEqual([])
})

test('the lines of /etc name their user', () => {
  expect(read('system', '0 9 * * *\troot\t/srv/x.sh  -v')).toBe('0 9 * * * | /srv/x.sh  -v')
  expect(read('system', '*/10 * * * * * true')).toBe('*/10 * * * * | true')
  expect(read('system', '@daily www-data true')).toBe('@daily | true')
  expect(read('system', '0 9 * * * true')).toBe('untold: "0 9 * * * true" is no line of a crontab')
  const lines = parse(
    'system',
    '@daily www-data cronwrap --job a -- true',
    '@daily root CRONWRAP_HOME=/base cronwrap --job b -- true',
    '@daily root env CRONWRAP_HOME=/other cronwrap --job c -- true',
    'HOME=/var/jobs',
    '@daily root flock -n /run/lock/d cronwrap --job d -- true',
    '@daily root cronwrap --home ~/here --job e -- true',
  )
  expect(lines.map(({ wrapped }) => `${wrapped?.job} ${wrapped?.base}`)).toEqual([
    'a /home/www-data/.local/state/cronwrap',
    'b /base',
    'c /other',
    'd /var/jobs/.local/state/cronwrap',
    'e /var/jobs/here',
  ])
})

test('a % ends the command, and begins what it reads', () => {
  const [plain, cut, hidden] = parse(
    'user',
    String.raw`0 9 * * * cronwrap --job day-\%F -- date +\%F`,
    '0 9 * * * cronwrap -- mail -s hi me%Body%more',
    '0 9 * * * cat%; cronwrap -- x',
  )
  expect(plain).toMatchObject({ command: 'cronwrap --job day-%F -- date +%F', hasInput: false })
  expect(cut).toMatchObject({ command: 'cronwrap -- mail -s hi me', hasInput: true })
  expect(cut?.wrapped?.command).toEqual(['mail', '-s', 'hi', 'me'])
  expect(hidden).toMatchObject({ command: 'cat', wrapped: null, written: 'cat%; cronwrap -- x' })
})

test('variables count for the lines after them', () => {
  const lines = parse(
    'user',
    '0 9 * * * cronwrap -- x',
    'CRON_TZ = "Asia/Shanghai"',
    'CRONWRAP_JOB=named',
    'CRONWRAP_GRACE=3m',
    'PATH=/opt/bin:/bin',
    'RANDOM_DELAY=15',
    '0 9 * * * cronwrap -- x',
    "CRON_TZ=''",
    '0 9 * * * PATH=/mine cronwrap -- x',
    'CRON_TZ=Mars/Olympus',
    '0 9 * * * true',
    'CRON_TZ=no zone',
    '0 9 * * * true',
  )
  expect(lines.map(({ wrapped }) => wrapped?.job)).toEqual(['x', 'named', 'named', undefined, undefined])
  expect(lines.map(({ path }) => path)).toEqual([
    '/usr/bin:/bin',
    '/opt/bin:/bin',
    '/mine',
    ...Array(2).fill('/opt/bin:/bin'),
  ])
  expect(lines.map(({ spreadMs }) => spreadMs)).toEqual([0, ...Array(4).fill(900_000)])
  expect(lines[1]?.wrapped?.options.graceMs).toBe(180_000)
  expect(lines.slice(0, 3).map(({ times }) => times)).toEqual(
    [null, 'Asia/Shanghai', null].map((tz) => ({ kind: 'times', expression: '0 9 * * *', tz })),
  )
  const reasons = lines.slice(3).map(({ times }) => (times.kind === 'times' ? '' : times.reason))
  expect(reasons[0]).toContain('in Mars/Olympus cannot be used')
  expect(reasons[1]).toBe('"no zone" is not a time zone')
})

test('a sleep before the job is added to what the scheduler may take', () => {
  const job = 'cronwrap --job a -- true'
  const lines = parse(
    'user',
    `0 9 * * * sleep 2m; ${job}`,
    'RANDOM_DELAY=1',
    `0 9 * * * sleep 30; ${job}`,
    String.raw`0 9 * * * sleep $((RANDOM \% 60)); ${'$'}{job}`.replace('${job}', job),
    `0 9 * * * test -x /x && ${job}`,
    `@reboot test -x /x && ${job}`,
  )
  expect(lines.map(({ spreadMs }) => spreadMs)).toEqual([120_000, 90_000, 60_000, 60_000, 60_000])
  expect(lines.map(({ times }) => (times.kind === 'times' ? times.expression : times.reason))).toEqual([
    '0 9 * * *',
    '0 9 * * *',
    'how long it sleeps before cannot be told',
    'it runs under a condition',
    'it runs when the machine starts',
  ])
})

test('of /etc those files count that cron reads', async () => {
  await using rig = createRig()
  rig.write('etc/crontab', '17 * * * * root cd / && run-parts --report /etc/cron.hourly\n')
  rig.write('etc/cron.d/good_one-2', '# comment\n0 1 * * * root one\n')
  for (const name of ['backup.bak', 'x~', '.hidden', 'y.dpkg-old'])
    rig.write(`etc/cron.d/${name}`, '@daily root never\n')
  fs.mkdirSync(rig.path('etc/cron.d/directory'))
  const { found, unreadable } = findInSystemCrontabs(rig.path('etc'))
  expect(found.map(({ where, command }) => [where.replace(rig.directory, ''), command])).toEqual([
    ['/etc/crontab line 1', 'cd / && run-parts --report /etc/cron.hourly'],
    ['/etc/cron.d/good_one-2 line 2', 'one'],
  ])
  expect(unreadable).toEqual([])
  expect(findInSystemCrontabs(rig.path('nowhere'))).toEqual({ found: [], unreadable: [] })
  fs.symlinkSync('loop', rig.path('etc/cron.d/loop'))
  expect(findInSystemCrontabs(rig.path('etc')).unreadable).toEqual([
    expect.stringContaining('/etc/cron.d/loop cannot be read'),
  ])
})
