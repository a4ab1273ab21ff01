import fs from 'fs-extra'
import { expect, test } from 'vitest'
import type { ImportStep } from '../../src/schedule/plan-import.ts'
import { commandJob } from '../openclaw/stand-in.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { standInForSchedulers } from './stand-in.ts'

interface Report {
  readonly job_not_told: readonly { readonly where: string; readonly command: string; readonly reason: string }[]
  readonly dry_run: boolean
  readonly jobs: readonly ImportStep[]
  readonly not_under_cronwrap: readonly { readonly where: string; readonly command: string }[]
  readonly recorded_elsewhere: readonly { readonly where: string; readonly job: string; readonly base: string }[]
  readonly not_understood: readonly { readonly where: string; readonly reason: string }[]
  readonly unreadable: readonly string[]
}

async function learn(rig: Rig, ...words: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await rig.run(['schedule', 'import', '--json', ...words])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Report
}

/** `job: outcome`, by name. */
function outcomes({ jobs }: Report): string[] {
  return jobs.map(({ job, outcome }) => `${job}: ${outcome}`)
}

function reasonOf({ jobs }: Report, job: string): string | null | undefined {
  return jobs.find((step) => step.job === job)?.reason
}

/** What is known, by job: `expression tz grace source`. */
function known(rig: Rig): Record<string, string> {
  if (!fs.existsSync(rig.home.summary)) return {}
  return Object.fromEntries(
    Object.entries(rig.summary()).flatMap(([job, { schedule }]) =>
      schedule === null
        ? []
        : [[job, `${schedule.expression} ${schedule.tz} ${schedule.grace_ms / 60_000}m ${schedule.source}`]],
    ),
  )
}

/** What is not of the rig, but of the machine it runs on. */
const ofTheMachine = (where: string): boolean => where.startsWith('/etc/')

const CRONTAB = [
  'MAILTO=""',
  '@daily cronwrap --job daily -- /srv/daily.sh',
  '*/10 9-17 * * Mon-Fri cronwrap --job weekdays --grace 2m -- /srv/x.sh',
  '15 0 9 * * 1 cronwrap --job six -- /srv/six.sh',
  String.raw`30 2 * * * cronwrap --job percent -- backup --day \%d%input`,
  'CRON_TZ=Asia/Shanghai',
  '0 7 * * * cd /srv && cronwrap -- python3 water.py',
  'CRON_TZ=',
  '@reboot cronwrap --job boot -- true',
  '0~59 3 * * * cronwrap --job random -- true',
  '0 1 * * * cronwrap --job twice -- true',
  '0 2 * * * cronwrap --job twice -- true',
  '0 3 * * * cronwrap --job same -- true',
  '0 3 * * *  cronwrap --job same -- true',
  '0 4 * * * cronwrap --job other --home /other -- true',
  '0 5 * * * python3 /srv/bare.py',
  '25 6 * * * cd / && run-parts --report /etc/cron.daily',
  'this is no line',
  '@hourly cronwrap schedule import',
]

const LEARNT = {
  daily: '@daily null 10m import',
  weekdays: '*/10 9-17 * * Mon-Fri null 2m import',
  six: '15 0 9 * * 1 null 10m import',
  percent: '30 2 * * * null 10m import',
  water: '0 7 * * * Asia/Shanghai 10m import',
  same: '0 3 * * * null 10m import',
  twice: '0 1 * * *; 0 2 * * * null 10m import',
}

test('41: crontab import: user and system form, env lines, @daily, six fields, Mon-Fri, %; idempotent, dry-run, undo; never wraps run-parts', async () => {
  await using rig = createRig()
  standInForSchedulers(rig).setCrontab(...CRONTAB)
  const before = fs.readFileSync(rig.path('crontab'), 'utf8')

  const dry = await learn(rig, '--dry-run')
  expect(dry.dry_run).toBe(true)
  expect(fs.existsSync(rig.home.base)).toBe(false)

  const report = await learn(rig)
  expect({ ...report, dry_run: true }).toEqual(dry)
  expect(outcomes(report)).toEqual([
    'boot: untold',
    ...['daily', 'percent'].map((job) => `${job}: learnt`),
    'random: untold',
    ...['same', 'six'].map((job) => `${job}: learnt`),
    'twice: learnt',
    ...['water', 'weekdays'].map((job) => `${job}: learnt`),
  ])
  expect(reasonOf(report, 'boot')).toBe('it runs when the machine starts')
  expect(reasonOf(report, 'random')).toBe('in "0~59 3 * * *" cron itself chooses the time')
  expect(report.jobs.find(({ job }) => job === 'twice')?.where).toEqual(['crontab line 12', 'crontab line 13'])
  expect(report.not_under_cronwrap.filter(({ where }) => !ofTheMachine(where))).toEqual([
    { where: 'crontab line 17', command: 'python3 /srv/bare.py' },
  ])
  expect(report.not_understood).toEqual([
    { where: 'crontab line 19', reason: '"this is no line" is no line of a crontab' },
  ])
  expect(report.recorded_elsewhere).toEqual([{ where: 'crontab line 16', job: 'other', base: '/other' }])
  expect(known(rig)).toEqual(LEARNT)

  const events = rig.events().length
  expect(events).toBe(7)
  expect(new Set(outcomes(await learn(rig)).filter((each) => !each.endsWith('untold')))).toEqual(
    new Set(Object.keys(LEARNT).map((job) => `${job}: unchanged`)),
  )
  expect(rig.events()).toHaveLength(events)

  expect(outcomes(await learn(rig, '--undo', '--dry-run'))).toHaveLength(7)
  expect(known(rig)).toEqual(LEARNT)
  expect(new Set(outcomes(await learn(rig, '--undo')))).toEqual(
    new Set(Object.keys(LEARNT).map((job) => `${job}: forgotten`)),
  )
  expect(known(rig)).toEqual({})
  expect(fs.readFileSync(rig.path('crontab'), 'utf8')).toBe(before)

  const system = [
    'SHELL=/bin/sh',
    `CRONWRAP_HOME=${rig.home.base}`,
    '17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly',
    '25 6 * * *\tsomebody\tcronwrap --job theirs-here -- true',
    'CRONWRAP_HOME=',
    '@weekly somebody cronwrap --job theirs -- true',
  ]
  const path = rig.write('system-crontab', system.join('\n'))
  const ofFile = await learn(rig, '--file', path, '--system')
  expect(outcomes(ofFile)).toEqual(['theirs-here: learnt'])
  expect(ofFile.not_under_cronwrap).toEqual([])
  expect(ofFile.recorded_elsewhere).toEqual([
    { where: `${path} line 6`, job: 'theirs', base: '/home/somebody/.local/state/cronwrap' },
  ])
  expect(known(rig)).toEqual({ 'theirs-here': '25 6 * * * null 10m import' })
})

test('the timers of systemd, of the machine and of the user', async () => {
  await using rig = createRig()
  const { setTimers } = standInForSchedulers(rig)
  const home = `Environment=FOO=1 "CRONWRAP_HOME=${rig.home.base}"`
  setTimers('system', [
    {
      name: 'nightly',
      times: ['OnCalendar=Mon..Fri *-*-* 02:30:00 Europe/Berlin'],
      command: '/usr/bin/cronwrap --job nightly -- /srv/nightly.sh',
      more: [home, 'User=nobody', 'RandomizedDelayUSec=1h'],
    },
    { name: 'apt-daily', times: ['OnCalendar=*-*-* 06,18:00:00'], command: '/usr/lib/apt/apt.systemd.daily update' },
    {
      name: 'foreign',
      times: ['OnCalendar=*-*-* 01:00:00'],
      command: 'cronwrap --job foreign -- x',
      more: ['User=nobody'],
    },
  ])
  setTimers('user', [
    {
      name: 'sync',
      times: ['OnBootUSec=5min', 'OnUnitActiveUSec=30min'],
      command: '/bin/sh -c cd /srv && cronwrap --job sync --grace 4m -- ./sync.sh',
    },
    { name: 'last', times: ['OnCalendar=*-*~01 00:00:00'], command: 'cronwrap --job last -- x' },
    {
      name: 'unsure',
      times: ['OnCalendar=*-*-* 03:00:00'],
      command: '/bin/sh -c pgrep -x restic || cronwrap --job unsure -- x',
    },
    {
      name: 'off',
      times: ['OnCalendar=*-*-* 01:00:00'],
      command: 'cronwrap --job off -- x',
      more: ['ActiveState=inactive'],
    },
  ])
  expect(outcomes(await learn(rig, '--dry-run'))).toEqual(['nightly: learnt'])
  rig.write('systemd/user/environment', `LANG=C\nCRONWRAP_HOME=${rig.home.base}\n`)
  const report = await learn(rig)
  expect(outcomes(report)).toEqual(['last: untold', 'nightly: learnt', 'off: untold', 'sync: learnt', 'unsure: untold'])
  expect(reasonOf(report, 'unsure')).toBe('it runs under a condition')
  expect(known(rig)).toEqual({
    nightly: '30 2 * * Mon-Fri Europe/Berlin 71m import',
    sync: 'every 30m null 5m import',
  })
  expect(report.jobs[3]?.where).toEqual(['sync.timer of this user'])
  expect(reasonOf(report, 'off')).toBe('the timer is stopped')
  expect(report.not_under_cronwrap.filter(({ where }) => !ofTheMachine(where)).map(({ where }) => where)).toEqual([
    'apt-daily.timer',
  ])
  expect(report.recorded_elsewhere).toEqual([
    { where: 'foreign.timer', job: 'foreign', base: '/nonexistent/.local/state/cronwrap' },
  ])
  expect(report.unreadable).toEqual([])
})

test('the jobs of OpenClaw', async () => {
  await using rig = createRig()
  const { openclaw } = standInForSchedulers(rig)
  const bare = { kind: 'command', argv: ['/bin/true'] }
  openclaw.setJobs([
    commandJob('cron', { schedule: { kind: 'cron', expr: '0 7 * * *', tz: 'Asia/Tokyo', staggerMs: 300_000 } }),
    commandJob('every', { schedule: { kind: 'every', everyMs: 5_400_000, anchorMs: 1 } }),
    commandJob('odd', { schedule: { kind: 'every', everyMs: 1_800_001 } }),
    commandJob('once', { schedule: { kind: 'at', at: '2027-01-01T00:00:00Z' } }),
    commandJob('event', { schedule: { kind: 'on-exit', command: 'x' } }),
    commandJob('chosen', { trigger: { script: 'return true' } }),
    commandJob('off', { enabled: false }),
    commandJob('bare', { payload: bare }),
  ])
  const report = await learn(rig)
  expect(known(rig)).toEqual({
    cron: '0 7 * * * Asia/Tokyo 15m import',
    every: 'every 1h30m null 10m import',
    odd: 'every 1800001ms null 10m import',
  })
  expect(
    report.jobs.filter(({ outcome }) => outcome === 'untold').map(({ job, reason }) => `${job}: ${reason}`),
  ).toEqual([
    'chosen: it has no regular times',
    'event: it has no regular times',
    'off: it is disabled',
    'once: it has no regular times',
  ])
  expect(report.not_under_cronwrap.filter(({ where }) => !ofTheMachine(where))).toEqual([
    { where: 'OpenClaw\'s job "bare"', command: '/bin/true' },
  ])
})

test('what the runs, cronwrap.json or a person said is kept', async () => {
  await using rig = createRig()
  const { setCrontab } = standInForSchedulers(rig)
  fs.outputJsonSync(rig.home.config, { jobs: { configured: { schedule: '0 5 * * *' }, graced: { grace: '1m' } } })
  await rig.run(['--job', 'said', '--schedule', '0 8 * * *', '--', 'true'])
  await rig.run(['schedule', 'set', 'set', '0 6 * * *'])
  setCrontab(
    '0 9 * * * cronwrap --job said -- true',
    '0 9 * * * cronwrap --job set -- true',
    '0 9 * * * cronwrap --job configured -- true',
    '0 9 * * * cronwrap --job will --schedule "0 9 * * *" -- true',
    '0 9 * * * cronwrap --job graced --jitter 30s -- true',
  )
  const events = rig.events().length
  const report = await learn(rig)
  expect(outcomes(report)).toEqual(['configured: kept', 'graced: learnt', 'said: kept', 'set: kept', 'will: learnt'])
  expect(reasonOf(report, 'said')).toBe('its runs said it, where 0 9 * * * was found')
  expect(reasonOf(report, 'set')).toBe('it was set by hand, where 0 9 * * * was found')
  expect(rig.events()).toHaveLength(events + 2)
  expect(known(rig)).toEqual({
    will: '0 9 * * * null 10m import',
    said: '0 8 * * * null 10m run',
    set: '0 6 * * * null 10m command',
    graced: '0 9 * * * null 1.5m import',
  })
  await learn(rig, '--undo')
  expect(Object.keys(known(rig))).toEqual(['said', 'set'])
})

test('what cron does not know of this shell does not count', async () => {
  await using rig = createRig()
  standInForSchedulers(rig)
  const elsewhere = rig.path('.local/state/cronwrap')
  rig.write('crontab', '@daily cronwrap --job a -- true\n@daily cronwrap --home /other --job b -- true\n')
  const { stdout } = await rig.run(['schedule', 'import'])
  expect(stdout.split('\n').filter((line) => line.startsWith('crontab'))).toEqual([
    `crontab line 1: recorded elsewhere: a in ${elsewhere}: cron does not know this shell's CRONWRAP_HOME: set it in the crontab`,
    'crontab line 2: recorded elsewhere: b in /other',
  ])
  const named = await rig.run(['schedule', 'import', '--home', rig.path('named')])
  expect(named.stdout).toContain(`crontab line 1: recorded elsewhere: a in ${elsewhere}\n`)
  rig.env['XDG_STATE_HOME'] = rig.path('state')
  delete rig.env['CRONWRAP_HOME']
  expect((await rig.run(['schedule', 'import'])).stdout).toContain("does not know this shell's XDG_STATE_HOME")
  delete rig.env['XDG_STATE_HOME']
  rig.env['CRONWRAP_JOB'] = 'exported'
  expect(outcomes(await learn(rig))).toEqual(['a: learnt'])
})

test('what came from one file is forgotten by an import of that file, by --undo, and by whatever names another', async () => {
  await using rig = createRig()
  const { setCrontab } = standInForSchedulers(rig)
  const line = (job: string): string => `0 9 * * * cronwrap --job ${job} -- true\n`
  const write = (...jobs: readonly string[]): string =>
    rig.write('tab', `CRONWRAP_HOME=${rig.home.base}\n${jobs.map(line).join('')}`)
  const file = write('kept', 'moved', 'gone')
  setCrontab()
  await learn(rig, '--file', 'tab')
  expect(rig.summary()['kept']?.schedule).toMatchObject({ source: 'import', file })
  expect(outcomes(await learn(rig, '--file', file))).toEqual(['gone: unchanged', 'kept: unchanged', 'moved: unchanged'])

  setCrontab(line('moved'), '@reboot cronwrap --job kept -- true')
  const plain = await learn(rig)
  expect(outcomes(plain)).toEqual(['gone: kept', 'kept: kept', 'moved: learnt'])
  expect(reasonOf(plain, 'gone')).toBe(`it was imported from ${file}`)
  expect(rig.summary()['moved']?.schedule).not.toHaveProperty('file')
  expect(outcomes(await learn(rig))).toEqual(['gone: kept', 'kept: kept', 'moved: unchanged'])
  expect(outcomes(await learn(rig, '--file', write('kept')))).toEqual(['gone: forgotten', 'kept: unchanged'])

  rig.write('boot', `CRONWRAP_HOME=${rig.home.base}\n@reboot cronwrap --job moved -- true\n`)
  expect(outcomes(await learn(rig, '--file', 'boot'))).toEqual(['moved: kept'])

  setCrontab('@reboot cronwrap --job kept -- true')
  expect(outcomes(await learn(rig))).toEqual(['kept: kept', 'moved: forgotten'])
  expect(outcomes(await learn(rig, '--undo'))).toEqual(['kept: forgotten'])
  expect(known(rig)).toEqual({})
})

test('a line of which the job cannot be told is told by itself', async () => {
  await using rig = createRig()
  standInForSchedulers(rig).setCrontab(
    '@daily ssh host cronwrap --job far -- true',
    '@daily cronwrap --hme /x --job typo -- true',
    '@daily sudo -u daemon cronwrap check',
    '@daily cronwrap --home /x check',
    '@daily test -x /x && cronwrap --job perhaps -- true',
  )
  const { stdout } = await rig.run(['schedule', 'import', '--dry-run'])
  const untold = 'cronwrap is in it, but which job it records cannot be told'
  expect(stdout.split('\n').filter((each) => /^crontab|^perhaps/.test(each))).toEqual([
    'perhaps: cannot be told (crontab line 6): it runs under a condition',
    `crontab line 2: ssh host cronwrap --job far -- true: ${untold}: another program starts it`,
    `crontab line 3: cronwrap --hme /x --job typo -- true: ${untold}: unknown option --hme`,
  ])
  expect(stdout).toContain('2 whose job cannot be told')
  const report = await learn(rig)
  expect(report.job_not_told.map(({ where, reason }) => `${where}: ${reason}`)).toEqual([
    'crontab line 2: another program starts it',
    'crontab line 3: unknown option --hme',
  ])
  expect(report.not_under_cronwrap.filter(({ where }) => !ofTheMachine(where))).toEqual([])
})

test('of several jobs on a line the first has its times', async () => {
  await using rig = createRig()
  standInForSchedulers(rig).setCrontab('0 9 * * * cronwrap --job first -- true; cronwrap --job second -- true')
  const report = await learn(rig)
  expect(outcomes(report)).toEqual(['first: learnt', 'second: untold'])
  expect(reasonOf(report, 'second')).toBe('it runs after another job of its line')
})

test('times in several time zones are no schedule', async () => {
  await using rig = createRig()
  const line = '0 9 * * * cronwrap --job job -- true'
  standInForSchedulers(rig).setCrontab(line, 'CRON_TZ=Asia/Tokyo', line)
  const report = await learn(rig)
  expect(outcomes(report)).toEqual(['job: untold'])
  expect(reasonOf(report, 'job')).toContain('its times differ')
})

test('what is changed is learnt anew; what is gone is forgotten, once everything could be read', async () => {
  await using rig = createRig()
  const { setCrontab, setTimers, openclaw } = standInForSchedulers(rig)
  const line = (job: string, when = '0 9 * * *'): string => `${when} cronwrap --job ${job} -- true`
  setCrontab(...['gone', 'moved', 'boot', 'doubled'].map((job) => line(job)))
  await learn(rig)

  setCrontab(line('moved', '0 10 * * *'), line('boot', '@reboot'), line('doubled'), line('doubled', '0~9 1 * * *'))
  openclaw.stopGateway([])
  setTimers('system', [])
  rig.write('systemd/system/broken', '')
  const halfBlind = await learn(rig)
  expect(outcomes(halfBlind)).toEqual(['boot: kept', 'doubled: forgotten', 'gone: kept', 'moved: learnt'])
  expect(reasonOf(halfBlind, 'gone')).toBe('it is not found any more, and not everything was read')
  expect(halfBlind.unreadable).toEqual([
    'the system timers of systemd cannot be read: Failed to list timers: Connection timed out',
    expect.stringMatching(/^the jobs of OpenClaw cannot be read: Gateway not reachable/),
  ])
  fs.removeSync(rig.path('gateway-down'))
  fs.removeSync(rig.path('systemd'))

  const file = rig.write('file', `CRONWRAP_HOME=${rig.home.base}\n0 11 * * * cronwrap --job moved -- true\n`)
  expect(outcomes(await learn(rig, '--file', file))).toEqual(['moved: learnt'])

  rig.write('crontab-broken', '')
  expect((await learn(rig)).unreadable).toEqual(['the crontab cannot be read: crontab: cannot open your crontab'])
  fs.removeSync(rig.path('crontab-broken'))

  expect(outcomes(await learn(rig))).toEqual(['boot: forgotten', 'doubled: untold', 'gone: forgotten', 'moved: learnt'])
  expect(known(rig)).toEqual({ moved: '0 10 * * * null 10m import' })
  expect(await learn(rig)).toMatchObject({ jobs: [{ job: 'boot' }, { job: 'doubled' }, { outcome: 'unchanged' }] })
})

test('a machine without any scheduler, and one whose systemd prints no JSON', async () => {
  await using rig = createRig()
  rig.env['PATH'] = rig.path('bin')
  expect(await learn(rig)).toMatchObject({ jobs: [], unreadable: [] })
  fs.ensureDirSync(rig.path('.openclaw'))
  expect((await learn(rig)).unreadable).toEqual([
    'the jobs of OpenClaw cannot be read: there is no openclaw on the PATH',
  ])
  fs.removeSync(rig.path('.openclaw'))
  rig.write('bin/systemctl', '#!/bin/sh\necho "NEXT LEFT LAST PASSED UNIT ACTIVATES"\n')
  expect((await learn(rig)).unreadable).toEqual(
    ['system', 'user'].map((of) => `the ${of} timers of systemd cannot be read: systemctl list-timers printed no JSON`),
  )
})

test('it is told in words, a line for each job and one of counts', async () => {
  await using rig = createRig()
  standInForSchedulers(rig)
  const lines = [
    `CRONWRAP_HOME=${rig.home.base}`,
    'CRON_TZ=Asia/Shanghai',
    '0 7 * * * cronwrap --job water -- true',
    '@reboot cronwrap --job boot -- true',
    '@daily python3 \u001b[31mx.py',
    '@daily cronwrap --home /other --job far -- true',
    'x',
  ]
  const file = rig.write('tab', lines.join('\n'))
  const told = (what: string): string[] => [
    `boot: cannot be told (${file} line 4): it runs when the machine starts`,
    `water: ${what} 0 7 * * * Asia/Shanghai, grace 10m (${file} line 3)`,
    `${file} line 6: recorded elsewhere: far in /other`,
    `not under cronwrap: ${file} line 5`,
    `${file} line 7: "x" is no line of a crontab`,
    `1 ${what}, 1 cannot be told, 1 not under cronwrap, 1 recorded elsewhere`,
  ]
  const run = async (...words: string[]): Promise<string[]> =>
    (await rig.run(['schedule', 'import', ...words])).stdout.trimEnd().split('\n')
  const dry = told('learnt').map((line) => (line.startsWith('1 ') ? `${line}; nothing was recorded` : line))
  expect(await run('--file', file, '--dry-run')).toEqual(dry)
  expect(await run('--file', file)).toEqual(told('learnt'))
  expect(await run('--file', file)).toEqual(told('unchanged'))
  expect(await run('--undo')).toEqual([
    'water: forgotten 0 7 * * * Asia/Shanghai, grace 10m: it was imported',
    '1 forgotten',
  ])
  expect(await run('--undo')).toEqual(['nothing was found'])
})
