import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'

test('1: every code from 0 to 255 passes unchanged and is recorded', async () => {
  await using rig = createRig()
  const codes = Array.from({ length: 256 }, (_, code) => code)
  for (let first = 0; first < codes.length; first += 8) {
    const batch = codes.slice(first, first + 8)
    const results = await Promise.all(
      batch.map((code) => rig.run(['--job', `code-${code}`, '--', 'sh', '-c', `exit ${code}`])),
    )
    expect(results.map(({ code }) => code)).toEqual(batch)
  }
  const summary = rig.summary()
  for (const code of codes) {
    expect(summary[`code-${code}`]).toMatchObject({
      last_exit_code: code,
      last_status: code === 0 ? 'success' : 'error',
      total_runs: 1,
    })
  }
})

test.each([
  ['TERM', 143],
  ['HUP', 129],
  ['QUIT', 131],
  ['KILL', 137],
  ['SEGV', 139],
  ['ABRT', 134],
])('2: a job killed by SIG%s gives %i and its name is recorded', async (name, code) => {
  await using rig = createRig()
  const result = await rig.run(['--job', 'victim', '--', 'sh', '-c', `kill -${name} $$`])
  expect(result).toMatchObject({ code, stdout: '', stderr: '' })
  expect(rig.summary()['victim']).toMatchObject({
    last_status: 'error',
    last_reason: 'signal',
    last_signal: `SIG${name}`,
    last_exit_code: code,
    consecutive_errors: 1,
  })
  expect(rig.log('victim')).toContain(`STATUS: error (signal SIG${name})\n`)
})

test('3: a command that is not there gives 127, one that cannot be executed 126, each with a hint and a record', async () => {
  await using rig = createRig()
  const plain = rig.write('plain.txt', 'not a program', 0o644)
  const orphan = rig.write('orphan.sh', '#!/nowhere/interpreter\n')
  const cases: Array<[string, string, number, string]> = [
    ['missing', 'no-such-command', 127, 'not-found'],
    ['missing-path', './no/such/command', 127, 'not-found'],
    ['interpreter', orphan, 127, 'not-found'],
    ['plain', plain, 126, 'not-executable'],
    ['directory', rig.directory, 126, 'not-executable'],
  ]
  for (const [job, command, code, reason] of cases) {
    const result = await rig.run(['--job', job, '--', command])
    expect(result.code, job).toBe(code)
    expect(result.stdout, job).toBe('')
    expect(result.stderr, job).toMatch(/^cronwrap: [^\n]+\n$/)
    expect(result.stderr, job).toContain(command)
    expect(rig.summary()[job], job).toMatchObject({ last_reason: reason, last_exit_code: code, consecutive_errors: 1 })
    expect(rig.summary()[job]?.last_error, job).toContain(command)
  }
  await rig.run(['--job', 'missing', '--', 'no-such-command'])
  await rig.run(['--job', 'missing', '--', 'no-such-command'])
  expect(rig.alerts()).toMatchObject([{ job_id: 'missing', message: '3 consecutive failures' }])
})

test.each([
  [['--no-such-option', '--', 'true'], 'unknown option --no-such-option'],
  [['--timeot', '5s', '--', 'true'], 'did you mean --timeout?'],
  [['--timeout', '5 minuts', '--', 'true'], '--timeout "5 minuts" is not a duration'],
  [['--timeout', '180', '--', 'true'], 'hint: write it with a unit'],
  [['--max-output', 'big', '--', 'true'], 'not a size'],
  [['--retries', '-1', '--', 'true'], 'whole number'],
  [['--tee', 'sideways', '--', 'true'], 'both, stdout, stderr, none, on-failure'],
  [['--job', 'a/b', '--', 'true'], 'cannot name a job'],
  [['--job'], 'needs a value'],
  [['--timeout', '--', 'true'], '--timeout needs a value'],
  [['--schedule', '0 25 * * *', '--', 'true'], '25 is not from 0 to 23'],
  [['--schedule', '0 0 9 1,32 * *', '--', 'true'], '32 is not from 1 to 31'],
  [['--ping', 'example.org', '--', 'true'], '--ping: the value is not an http or https URL'],
  [['logs', 'x', '-n', 'abc'], '--lines "abc" is not a whole number'],
  [['--'], 'no command'],
  [[], 'no command'],
  [['statsu'], 'did you mean status?'],
])('4: misuse %j gives 125 and says what is wrong', async (words, text) => {
  await using rig = createRig()
  const result = await rig.run(words)
  expect(result.code).toBe(125)
  expect(result.stdout).toBe('')
  expect(result.stderr).toContain(text)
  expect(fs.existsSync(rig.home.logs)).toBe(false)
})

test('5: --ok-codes changes the record and what is returned', async () => {
  await using rig = createRig()
  const words = (code: number): string[] => ['--job', 'grep', '--ok-codes', '0,3', '--', 'sh', '-c', `exit ${code}`]
  expect((await rig.run(words(3))).code).toBe(0)
  expect(rig.summary()['grep']).toMatchObject({ last_status: 'success', last_exit_code: 3, consecutive_success: 1 })
  expect((await rig.run(words(4))).code).toBe(4)
  expect(rig.summary()['grep']).toMatchObject({ last_status: 'error', last_exit_code: 4, consecutive_errors: 1 })
  expect((await rig.run(['--ok-codes', '1', '--job', 'odd', '--', 'true'])).code).toBe(1)
})

test('6: * a base directory that cannot be used costs one warning, not the output and not the code', async () => {
  await using rig = createRig()
  const file = rig.write('a-file', '')
  const job = ['--', 'sh', '-c', 'echo out; echo err >&2; echo named > /dev/stderr; exit 5']
  for (const home of [`${file}/below`, '/proc/none', '/dev/null']) {
    const result = await rig.runWith({ CRONWRAP_HOME: home }, job)
    expect(result.code, home).toBe(5)
    expect(result.stdout, home).toBe('out\n')
    expect(result.stderr, home).toMatch(/^err\nnamed\ncronwrap: [^\n]+\n$/)
  }
})

test('6: a read-only and a full base directory, really mounted', async (context) => {
  await using rig = createRig()
  const mount = rig.path('mount')
  fs.mkdirSync(mount)
  const tmpfs = await rig.spawn('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', mount])
  if (tmpfs.exitCode !== 0) return context.skip('this user may not mount')
  try {
    const job = ['--', 'sh', '-c', 'head -c 100000 /dev/zero; echo err >&2; exit 5']
    const full = await rig.runWith({ CRONWRAP_HOME: mount }, job)
    expect(full).toMatchObject({ code: 5, stdout: '\0'.repeat(100_000) })
    expect(full.stderr).toMatch(/^err\ncronwrap: [^\n]+\n$/)
    await rig.spawn('mount', ['-o', 'remount,ro', mount])
    const readOnly = await rig.runWith({ CRONWRAP_HOME: mount }, job)
    expect(readOnly).toMatchObject({ code: 5, stdout: '\0'.repeat(100_000) })
    expect(readOnly.stderr).toMatch(/^err\ncronwrap: [^\n]+\n$/)
  } finally {
    await rig.spawn('umount', [mount])
  }
})

test('6: a missing base directory is made, private to its user', async () => {
  await using rig = createRig()
  const base = rig.path('not/yet/there')
  const result = await rig.shell(`umask 000; CRONWRAP_HOME=${base} cronwrap --job first -- sh -c 'echo secret'`)
  expect(result).toMatchObject({ code: 0, stdout: 'secret\n', stderr: '' })
  const modes = fs.readdirSync(`${base}/logs`).map((name) => fs.statSync(`${base}/logs/${name}`).mode & 0o077)
  expect(modes.every((bits) => bits === 0)).toBe(true)
  expect(fs.statSync(`${base}/logs`).mode & 0o777).toBe(0o700)
})

test('7: runs with nothing in the environment, and in a directory that is gone', async () => {
  await using rig = createRig()
  const bare = await rig.run(['--home', rig.home.base, '--job', 'bare', '--', '/bin/sh', '-c', 'echo ran; exit 4'], {
    env: {},
  })
  expect(bare).toMatchObject({ code: 4, stdout: 'ran\n', stderr: '' })
  const cron = await rig.run(['--home', rig.home.base, '--job', 'cron', '--', 'sh', '-c', 'exit 4'], {
    env: { SHELL: '/bin/sh', HOME: rig.directory },
  })
  expect(cron).toMatchObject({ code: 4, stderr: '' })
  const gone = await rig.shell('mkdir gone; cd gone; rmdir ../gone; cronwrap --job gone -- sh -c "echo ran; exit 4"')
  expect(gone).toMatchObject({ code: 4, stdout: 'ran\n' })
  expect(Object.keys(rig.summary()).sort()).toEqual(['bare', 'cron', 'gone'])
})

test('6: a base directory that vanishes while the job runs costs one warning', async () => {
  await using rig = createRig()
  for (const words of [[], ['--tee', 'on-failure'], ['--overlap', 'skip'], ['--retries', '1', '--retry-delay', '0']]) {
    const result = await rig.run([
      ...words,
      '--job',
      'vanish',
      '--',
      'sh',
      '-c',
      `until rm -rf ${rig.home.base} 2> /dev/null; do :; done; exit 3`,
    ])
    expect(result.code, words.join(' ')).toBe(3)
    expect(result.stderr, words.join(' ')).toMatch(/^cronwrap: [^\n]+\n$/)
  }
})

test('6: runs that begin a base directory together are all recorded', async () => {
  await using rig = createRig()
  for (let round = 0; round < 3; round++) {
    const env = { CRONWRAP_HOME: rig.path(`fresh/${round}/a/b`) }
    const results = await Promise.all(
      Array.from({ length: 20 }, () => rig.runWith(env, ['--job', 'x', '--', 'echo', 'out'])),
    )
    expect(results.map(({ stderr }) => stderr).join('')).toBe('')
    const summary = fs.readJsonSync(`${env.CRONWRAP_HOME}/logs/cron-summary.json`) as Record<
      string,
      { total_runs: number }
    >
    expect(summary['x']?.total_runs).toBe(20)
  }
})

test('6: a stderr that is full or closed does not keep the job from its end', async () => {
  await using rig = createRig()
  for (const redirection of ['2> /dev/full', '2>&-', '2> >(true)']) {
    const result = await rig.shell(
      `CRONWRAP_BOGUS=1 cronwrap --job mute -- sh -c 'sleep 0.2; exit 3' ${redirection}; echo $?`,
    )
    expect(result.stdout, redirection).toBe('3\n')
  }
  expect(rig.runs()).toHaveLength(3)
})

test('3: a working directory of any kind that cannot be used is said', async () => {
  await using rig = createRig()
  for (const cwd of ['x'.repeat(300), rig.write('file', ''), '/proc/self/fd/9999']) {
    const result = await rig.run(['--cwd', cwd, '--', 'true'])
    expect(result).toMatchObject({ code: 126, stdout: '' })
    expect(result.stderr).toMatch(/^cronwrap: the working directory [^\n]+\n$/)
  }
})

test.each([
  [['list'], 'neither a command of cronwrap nor a program'],
  [['--home', '/tmp', 'histry'], 'neither a command of cronwrap nor a program'],
])('4: %j runs nothing', async (words, text) => {
  await using rig = createRig()
  const result = await rig.run(words)
  expect(result.code).toBe(125)
  expect(result.stderr).toContain(text)
})

test('4: options may stand before a subcommand, and --help may stand anywhere before the job', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'seen', '--', 'true'])
  const moved = await rig.run(['--home', rig.home.base, 'status', '--json'], {
    env: { ...rig.env, CRONWRAP_HOME: '/nowhere' },
  })
  expect(JSON.parse(moved.stdout)).toMatchObject([{ job: 'seen' }])
  for (const words of [['--job', 'x', '--help'], ['run', '--timeout', '5s', '-h'], ['help']]) {
    expect(await rig.run(words)).toMatchObject({ code: 0, stderr: '' })
  }
  expect((await rig.run(['--', 'status'])).code).toBe(127)
})

test('a place that may not be read is said in one line, not as a bug', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root can become somebody else')
  await using rig = createRig()
  await rig.run(['--job', 'mine', '--', 'true'])
  fs.chmodSync(rig.directory, 0o711)
  fs.chmodSync(rig.home.base, 0o711)
  for (const command of ['status', 'alerts', 'runs mine', 'repair']) {
    const words = [
      '-u',
      '65534',
      process.execPath,
      `${import.meta.dirname}/../../bin/cronwrap.js`,
      ...command.split(' '),
    ]
    const result = await rig.spawn('setpriv', ['--reuid', '65534', ...words.slice(2)])
    expect(result.exitCode, command).toBe(125)
    expect(Buffer.from(result.stderr).toString(), command).toMatch(
      /^cronwrap: EACCES: [^\n]+\n {2}hint: run as the user [^\n]+\n$/,
    )
  }
})
