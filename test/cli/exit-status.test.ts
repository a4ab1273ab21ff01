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
