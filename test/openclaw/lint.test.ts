import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { lintJobs } from '../../src/openclaw/lint.ts'
import { readJobs } from '../../src/openclaw/openclaw-job.ts'
import { RULES } from '../../src/openclaw/lint-rules.ts'
import { splitWords } from '../../src/invocation/shell-words.ts'
import { findWrapped } from '../../src/openclaw/job-command.ts'
import { BIN, createRig } from '../support/rig.ts'
import { commandJob, standIn } from './stand-in.ts'

function rulesOf(...jobs: object[]): string[] {
  return lintJobs(readJobs({ jobs }), { isLocal: true }).map(({ rule }) => rule)
}

const payload = (changes: object): object => ({
  payload: { ...(commandJob('j')['payload'] as object), ...changes },
})
const agent = (message: string): object => ({ payload: { kind: 'agentTurn', message } })

test('a job as cronwrap adds it has no findings', () => {
  expect(rulesOf(commandJob('good'))).toEqual([])
})

test.each<[string, object]>([
  ['delivery-channel', { delivery: { mode: 'announce', channel: 'last', to: '1' } }],
  ['delivery-channel', { delivery: { mode: 'announce', to: '1' } }],
  ['delivery-to', { delivery: { mode: 'announce', channel: 'telegram' } }],
  ['timeout-short', payload({ timeoutSeconds: 60, argv: ['/opt/cronwrap', '--timeout', '50s', '--', '/bin/true'] })],
  ['inline-logic', payload({ argv: ['/opt/cronwrap', '--timeout', '5m', '--', 'python3', '-c', 'print(1)'] })],
  ['inline-logic', payload({ argv: ['bash', '-c', 'cronwrap --timeout 5m -- a && b; c'] })],
  ['inline-logic', agent('Run this:\n```python\nprint(1)\n```\ncronwrap --timeout 5m -- /bin/true')],
  ['not-wrapped', payload({ argv: ['python3', '/bin/true'] })],
  ['not-wrapped', agent('Run python3 /srv/jobs/reminder.py and tell me')],
  ['login-shell', payload({ argv: ['sh', '-lc', 'cronwrap --timeout 5m -- /bin/true'] })],
  ['best-effort', { delivery: { mode: 'announce', channel: 'telegram', to: '1', bestEffort: true } }],
  ['no-failure-route', { delivery: { mode: 'none' } }],
  ['no-failure-route', { failureAlert: false }],
  ['own-timeout', payload({ argv: ['/opt/cronwrap', '--', '/bin/true'] })],
  ['own-timeout', payload({ argv: ['/opt/cronwrap', '--timeout', '900s', '--', '/bin/true'] })],
  ['auto-disabled', { enabled: false, state: { autoDisabled: { reason: 'consecutive-failures', atMs: 1 } } }],
  ['failure-notice', { state: { lastFailureNotificationDeliveryStatus: 'unknown' } }],
  ['own-timeout', payload({ argv: ['/opt/cronwrap', '--retries', '3', '--timeout', '5m', '--', '/bin/true'] })],
  ['hidden-errors', payload({ argv: ['sh', '-c', 'cronwrap --timeout 5m -- /bin/true || true'] })],
  ['script-missing', payload({ argv: ['/opt/cronwrap', '--timeout', '5m', '--', 'python3', '/srv/nowhere.py'] })],
  ['script-missing', payload({ argv: ['sh', '-c', 'umask 077; cronwrap --timeout 5m -- /srv/nowhere.py'] })],
])('%s is found', (rule, changes) => {
  expect(rulesOf(commandJob('j', changes))).toContain(rule)
  expect(rulesOf(commandJob('j'))).not.toContain(rule)
})

test('a script that is named from where the line goes is not looked for', () => {
  const found = (line: string): string[] =>
    rulesOf(commandJob('j', payload({ argv: ['sh', '-c', line], cwd: '/nowhere' })))
  expect(found('cronwrap -- ./x.sh')).toContain('script-missing')
  expect(found('cd /srv && cronwrap -- ./x.sh')).not.toContain('script-missing')
})

test('an account is asked for where another job of the channel names one', () => {
  const named = commandJob('a', { delivery: { mode: 'announce', channel: 'telegram', to: '1', accountId: 'work' } })
  expect(rulesOf(named, commandJob('b'))).toEqual(['delivery-account'])
})

test('each rule has a test here, a reason and a command', () => {
  const source = fs.readFileSync(import.meta.filename, 'utf8')
  for (const { id } of RULES) expect(source).toContain(`'${id}'`)
  const findings = lintJobs(readJobs([commandJob('x', { delivery: {}, failureAlert: false, ...agent('sh x.sh') })]), {
    isLocal: true,
  })
  for (const { why, fix } of findings) expect(`${why}${fix}`).toMatch(/\S.*openclaw cron edit/)
})

test.each([
  [
    '2026.1.30',
    {
      version: 1,
      jobs: [{ id: 'a', name: 'old', payload: { kind: 'agentTurn', message: 'hi', deliver: true, channel: 'last' } }],
    },
  ],
  [
    '2026.2.9',
    {
      version: 1,
      jobs: [
        { id: 'a', payload: { kind: 'systemEvent', text: 'x' }, delivery: { mode: 'announce', bestEffort: true } },
      ],
    },
  ],
  [
    '2026.5.19',
    {
      jobs: [
        {
          id: 'a',
          payload: { kind: 'agentTurn', message: 'x' },
          delivery: { mode: 'webhook', failureDestination: { channel: 'x' } },
          failureAlert: { after: 2 },
        },
      ],
    },
  ],
  [
    '2026.9.6',
    { jobs: [commandJob('a', { pacing: { min: 1 }, trigger: null, state: null, later: [1] })], deliveryPreviews: {} },
  ],
  ['no shape at all', { jobs: [null, 1, 'x', [], { id: 7 }, { id: 'b', payload: 'x', delivery: [], state: 3 }] }],
  ['a list', [{ id: 'c' }]],
  ['nothing', null],
])('jobs of %s are linted without a crash', (_, file) => {
  for (const finding of lintJobs(readJobs(file), { isLocal: false })) expect(finding.fix).not.toBe('')
})

test('a shell line is split as the shell does', () => {
  expect(splitWords(`a 'b c' "d \\"e" f\\ g h"i"j`)).toEqual(['a', 'b c', 'd "e', 'f g', 'hij'])
})

test('the wrapped command is found in argv, in a shell line and in a message', () => {
  const wrapped = (changes: object): unknown => readJobs([commandJob('named', changes)]).map(findWrapped)[0]
  expect(wrapped({})).toMatchObject({
    job: 'named',
    command: ['/bin/true'],
    options: { timeoutMs: 890_000 },
    wrapper: ['/opt/cronwrap'],
  })
  const message = 'First:\n`cronwrap --job=other --timeout 1m -- python3 "/a b/task.py"`\nthen send it'
  expect(wrapped(agent(message))).toMatchObject({
    job: 'other',
    command: ['python3', '/a b/task.py'],
    options: { timeoutMs: 60_000 },
  })
  expect(wrapped(payload({ argv: ['node', '/x/bin/cronwrap.js', '--', 'x'], env: {} }))).toMatchObject({ job: 'x' })
  expect(wrapped(agent("Don't stop.\ncronwrap --job q \\\n  -- x 'it is'; then don't"))).toMatchObject({ job: 'q' })
  expect(wrapped(payload({ argv: ['/usr/bin/env', 'bash', '-lc', 'cronwrap run --job r /bin/true'] }))).toMatchObject({
    job: 'r',
  })
  const line = 'if test -d /srv; then A=b timeout 1h cronwrap --job "$NAME" -- x; fi'
  expect(wrapped(payload({ argv: ['sh', '-c', line], env: { NAME: 's' } }))).toMatchObject({
    job: 's',
    through: ['sh', '-c'],
    wrapper: ['A=b', 'timeout', '1h', 'cronwrap'],
  })
  expect(wrapped(agent('Run:\ncronwrap --home "$HOME/r" --job t -- x && echo ok'))).toMatchObject({
    base: `${process.env['HOME']}/r`,
    command: ['x'],
  })
  for (const said of ['say hello', 'Run `cronwrap doctor`', 'Look at the repo acme/cronwrap for issues'])
    expect(wrapped(agent(said)), said).toBeNull()
  for (const argv of [
    ['cronwrap', 'doctor'],
    ['git', '-C', '/home/u/cronwrap', 'pull'],
    ['sh', '-c', 'cd /srv/cronwrap && git pull'],
  ])
    expect(wrapped(payload({ argv })), argv.join(' ')).toBeNull()
})

test('cronwrap openclaw lint asks OpenClaw, or reads a file; exits 1 on errors; --fix prints what mends it', async () => {
  await using rig = createRig()
  const openclaw = standIn(rig, BIN)
  openclaw.setJobs([commandJob('good')])
  expect(await rig.run(['openclaw', 'lint'])).toMatchObject({ code: 0, stdout: '1 job, 0 errors, 0 warnings\n' })
  openclaw.setJobs([commandJob('bad', { delivery: { mode: 'announce', channel: 'telegram' } })])
  const bad = await rig.run(['openclaw', 'lint', '--json'])
  expect(bad.code).toBe(1)
  expect(JSON.parse(bad.stdout)).toMatchObject({
    jobs: 1,
    findings: [{ rule: 'delivery-to', severity: 'error', job: 'bad' }, { rule: 'no-failure-route' }],
  })
  expect((await rig.run(['openclaw', 'lint', '--fix'])).stdout).toContain(
    "openclaw cron edit id-bad --to '<chat id>'\n",
  )
  const file = rig.write('old.json', JSON.stringify({ version: 1, jobs: [{ id: 'x', payload: { deliver: true } }] }))
  expect((await rig.run(['openclaw', 'lint', '--file', file])).stdout).toContain('[delivery-to]')
  openclaw.stopGateway([])
  expect(await rig.run(['openclaw', 'lint'])).toMatchObject({ code: 125 })
  expect((await rig.run(['openclaw', 'lint', '--file', '/nowhere'])).stderr).toContain('/nowhere cannot be read')
})

test('cronwrap openclaw add prints a line that OpenClaw takes, and runs it with --apply', async () => {
  await using rig = createRig()
  const openclaw = standIn(rig, BIN)
  rig.write('task.py', 'print("hi")')
  const flags = ['--schedule', '0 7 * * *', '--tz', 'Asia/Shanghai', '--channel', 'telegram', '--to', '-1001']
  const line = await rig.run(['openclaw', 'add', 'water', ...flags, '--account-id', 'work', '--', 'python3', 'task.py'])
  expect(line).toMatchObject({ code: 0, stderr: '' })
  const words = splitWords(line.stdout)
  const after = (flag: string): string => words[words.indexOf(flag) + 1] ?? ''
  expect(words.slice(0, 5)).toEqual(['openclaw', 'cron', 'add', '--name', 'water'])
  const argv = JSON.parse(after('--command-argv')) as string[]
  expect(argv.slice(0, 7)).toEqual([
    rig.path('bin/cronwrap'),
    '--timeout',
    '890s',
    '--kill-after',
    '5s',
    '--on-failure-line',
    '--',
  ])
  expect(argv[7]).toMatch(/^\/.*\/python3$/)
  expect(argv[8]).toBe(rig.path('task.py'))
  expect([after('--timeout-seconds'), after('--account'), after('--to'), after('--cron')]).toEqual([
    '900',
    'work',
    '-1001',
    '0 7 * * *',
  ])
  expect(words).toContain('CRONWRAP_JOB=water')
  expect(words).toContain(`CRONWRAP_HOME=${rig.home.base}`)
  expect(words.some((word) => word.startsWith('PATH=/'))).toBe(true)
  const ran = await rig.spawn(argv[0] ?? '', argv.slice(1), {
    env: {
      PATH: words.find((word) => word.startsWith('PATH='))?.slice(5),
      CRONWRAP_JOB: 'water',
      CRONWRAP_HOME: rig.home.base,
    },
  })
  expect(Buffer.from(ran.stdout).toString()).toBe('hi\n')
  const applied = await rig.run(['openclaw', 'add', 'water', ...flags, '--apply', '--', 'python3', 'task.py'])
  expect(JSON.parse(applied.stdout)).toMatchObject({ id: 'new-job' })
  expect(openclaw.calls().at(-1)).toMatch(/^cron add --name water --cron 0 7/)
  openclaw.setJobs([commandJob('water')])
  const again = await rig.run(['openclaw', 'add', 'water', ...flags, '--apply', '--', 'python3', 'task.py'])
  expect(again.stderr).toContain('OpenClaw has a job "water" already')
  // What it adds passes its own rules.
  expect(rulesOf(commandJob('water', { payload: { kind: 'command', argv, timeoutSeconds: 900 } }))).toEqual([])
})

test('with --agent the message holds the three steps', async () => {
  await using rig = createRig()
  standIn(rig, BIN)
  const words = [
    'openclaw',
    'add',
    'water',
    '--schedule',
    '1h30m',
    '--channel',
    'telegram',
    '--to',
    '7',
    '--agent',
    '--',
    'true',
  ]
  const { stdout } = await rig.run(words)
  expect(stdout).toContain('--every 5400s')
  for (const step of ['--job water', 'water MESSAGE_ID', 'messageId', 'never say that it succeeded', 'NO_REPLY'])
    expect(stdout).toContain(step)
})

test('what is missing or cannot be is said', async () => {
  await using rig = createRig()
  standIn(rig, BIN)
  const flags = ['--schedule', '10m', '--channel', 'telegram', '--to', '7']
  const told = async (...words: string[]): Promise<string> => (await rig.run(['openclaw', ...words])).stderr
  expect(await told('add', 'x', '--schedule', '10m', '--', 'true')).toContain('--channel is missing')
  expect(await told('add', 'x', ...flags)).toContain('its command are missing')
  expect(await told('add', 'x', ...flags, '--', 'nowhere-at-all')).toContain('nowhere-at-all was not found')
  expect(await told('add', 'x', ...flags, '--timeout', '5s', '--', 'true')).toContain('too short')
  expect(await told('add', 'x', ...flags, '--tz', 'UTC', '--', 'true')).toContain('--tz has no meaning for an interval')
  expect(await told('add', 'x', ...flags.with(1, 'banana'), '--', 'true')).toContain('"banana" is no schedule')
  expect(await told('add', 'x', ...flags, '--', '/tmp')).toContain('is no program')
  expect(await told('lint', '--tz', 'UTC')).toContain('--tz is not for lint')
  expect(await told('list')).toContain('usage: cronwrap openclaw')
})

test('the fixes of a job agree, keep its options, and leave a shell line to a shell', () => {
  const fixes = (changes: object): string[] => [
    ...new Set(lintJobs(readJobs([commandJob('Morning Brief', changes)]), { isLocal: false }).map(({ fix }) => fix)),
  ]
  const argvOf = (fix: string | undefined): unknown => JSON.parse(splitWords(fix ?? '').at(-1) ?? '')
  const shell = fixes({
    payload: { kind: 'command', argv: ['sh', '-lc', 'cd /srv && FOO=1 x | tee y'], timeoutSeconds: 900 },
  })
  expect(shell.filter((fix) => !fix.includes('<'))).toHaveLength(1)
  expect(argvOf(shell.find((fix) => !fix.includes('<')))).toEqual(
    expect.arrayContaining(['--job', 'Morning-Brief', '--', 'sh', '-c', 'cd /srv && FOO=1 x | tee y']),
  )
  const [kept] = fixes({
    payload: {
      kind: 'command',
      argv: ['/opt/cw/cronwrap', '--home', '/d', '--retries', '3', '--', 'x'],
      timeoutSeconds: 900,
    },
  })
  expect(argvOf(kept)).toEqual([
    '/opt/cw/cronwrap',
    '--home',
    '/d',
    '--retries',
    '3',
    '--timeout',
    '198s',
    '--kill-after',
    '5s',
    '--',
    'x',
  ])
  const [other] = fixes({
    payload: { kind: 'command', argv: ['sudo', '-u', 'bob', 'cronwrap', '--job', 'n', '--', 'x'], timeoutSeconds: 900 },
  })
  // Without sudo it would run as somebody else.
  expect(other).toContain('<the line, with ')
})

test('odd values and long messages neither crash nor hang', () => {
  const odd = {
    payload: { kind: 'command', argv: [{ toString: 1 }, 7, null] },
    failureAlert: null,
    state: { autoDisabled: null },
  }
  expect(rulesOf(commandJob('odd', { ...odd, delivery: { mode: 'none', failureDestination: null } }))).toContain(
    'no-failure-route',
  )
  const started = performance.now()
  rulesOf(commandJob('long', agent('a.'.repeat(500_000))))
  expect(performance.now() - started).toBeLessThan(3_000)
})
