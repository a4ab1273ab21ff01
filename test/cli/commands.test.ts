import fs from 'fs-extra'
import { describe, expect, test } from 'vitest'
import { BIN, createRig, until, type Finished, type Rig } from '../support/rig.ts'

function json<T>(result: Finished): T {
  return JSON.parse(result.stdoutBytes.toString()) as T
}

async function fail(rig: Rig, job: string, times: number): Promise<void> {
  for (let round = 0; round < times; round++) await rig.run(['--job', job, '--', 'sh', '-c', 'echo boom >&2; exit 3'])
}

describe('delivery', () => {
  test('keeps ids to the letter, attaches to the latest run, and says nothing', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'water', '--', 'true'])
    for (const id of ['007', '12345678901234567890123', '1e3', '-5', '0x10', 'openclaw-weixin:42', '消息 1']) {
      expect(await rig.run(['delivery', 'water', id])).toMatchObject({ code: 0, stdout: '', stderr: '' })
      expect(rig.summary()['water']?.last_delivery).toMatchObject({
        message_id: id,
        status: 'sent',
        run_id: rig.runs()[0]?.run_id,
      })
    }
    expect(rig.summary()['water']).toMatchObject({ deliveries_sent: 7, deliveries_failed: 0, expects_delivery: true })
    expect(rig.log('water')).toMatch(/^--- DELIVERY \S+ sent message_id=openclaw-weixin:42 run=\S+ ---$/m)
  })

  test('the same message and status for the same run change nothing', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'water', '--', 'true'])
    await rig.run(['delivery', 'water', '42'])
    const before = fs.readFileSync(rig.home.journal, 'utf8') + rig.log('water')
    expect(json(await rig.run(['delivery', 'water', '42', 'sent', '--json']))).toMatchObject({ recorded: false })
    expect(fs.readFileSync(rig.home.journal, 'utf8') + rig.log('water')).toBe(before)
    await rig.run(['delivery', 'water', '42', 'delivered'])
    expect(rig.summary()['water']).toMatchObject({ deliveries_sent: 1, last_delivery: { status: 'delivered' } })
  })

  test('a failed one is an alert of its own and no failure of the job, until one is sent', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'water', '--', 'true'])
    await rig.run(['delivery', 'water', '1', 'failed', '--error', 'bot was blocked', '--channel', 'telegram'])
    expect(rig.summary()['water']).toMatchObject({ consecutive_errors: 0, consecutive_delivery_failures: 1 })
    expect(rig.alerts()).toMatchObject([{ job_id: 'water', kind: 'delivery_failed', last_error: 'bot was blocked' }])
    await rig.run(['delivery', 'water', '2'])
    expect(rig.alerts()).toEqual([])
  })

  test('from inside a run it belongs to that run, and with --run to the one named', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'water', '--', 'true'])
    const first = rig.runs()[0]?.run_id ?? ''
    const script = rig.write('send.sh', `#!/bin/sh\nexec "$NODE" "$BIN" delivery water 9\n`)
    await rig.runWith({ NODE: process.execPath, BIN }, [
      '--job',
      'water',
      '--expect-delivery',
      '--delivery-grace',
      '0',
      '--',
      script,
    ])
    expect(rig.summary()['water']?.last_delivery?.run_id).toBe(rig.runs()[1]?.run_id)
    expect(json(await rig.run(['alerts', '--json']))).toEqual([])
    await rig.run(['delivery', 'water', '10', '--run', first])
    expect(rig.summary()['water']?.last_delivery).toMatchObject({ message_id: '10', run_id: first })
  })

  test.each([
    [['delivery', 'wter', '1'], 'did you mean water?'],
    [['delivery', 'water', '1', 'maybe'], 'use one of sent, delivered, failed, skipped'],
    [['delivery', 'water', ''], 'message id'],
    [['delivery', 'water'], 'usage: cronwrap delivery <job> <message-id> [status]'],
    [['delivery', 'water', '1', '--run', '01900000-0000-7000-8000-000000000000'], 'has no run'],
  ])('%j is refused', async (words, text) => {
    await using rig = createRig()
    await rig.run(['--job', 'water', '--', 'true'])
    const result = await rig.run(words)
    expect(result).toMatchObject({ code: 125, stdout: '' })
    expect(result.stderr).toContain(text)
    expect(rig.events()).toHaveLength(1)
  })
})

describe('status', () => {
  test('shows a line for each job, with what is running and what is missing', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'good', '--', 'true'])
    await rig.run(['--job', '喝水提醒', '--expect-delivery', '--delivery-grace', '0', '--', 'true'])
    await fail(rig, 'bad', 3)
    const going = rig.start(['--job', 'going', '--', 'sleep', '60'])
    await until('it runs', () => rig.running().length === 1)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const { code, stdoutBytes } = await rig.run(['status', '--exit-code'])
    const lines = stdoutBytes.toString().trimEnd().split('\n')
    expect(code).toBe(1)
    expect(lines[0]).toMatch(/^JOB +LAST RUN +STATUS +DURATION +STREAK +RUNS +DELIVERY$/)
    expect(lines[1]).toMatch(/^bad +\S+ ago +failed \(exit 3\) ! +\S+ \(median \S+\) +3 failed +3 +not expected$/)
    expect(lines[2]).toMatch(/^going +never +running since \d+s ago +- +- +0 +not expected$/)
    expect(lines[3]).toMatch(/^good +\S+ ago +ok \(exit 0\) +\S+ \(median \S+\) +1 ok +1 +not expected$/)
    expect(lines[4]).toMatch(/^喝水提醒 +\S+ ago +ok \(exit 0\) ! .* missing$/)
    const column = (line: string): number =>
      line
        .slice(0, line.indexOf('ok (') === -1 ? line.indexOf('failed (') : line.indexOf('ok ('))
        .replace(/[喝水提醒]/g, 'xx').length
    expect(column(lines[4] ?? '')).toBe(column(lines[1] ?? ''))
    expect((await rig.run(['status', '--failed'])).stdoutBytes.toString()).not.toContain('good')
    expect((await rig.run(['status', 'good', '--exit-code'])).code).toBe(0)
    going.kill('SIGKILL')
  })

  test('shows one job with its last runs, and counts a delivery as owed until its grace is over', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'digest', '--expect-delivery', '--', 'true'])
    const { stdout } = await rig.run(['status', 'digest'])
    expect(stdout).toMatch(/^job: +digest\nstatus: +ok \(exit 0\)\n/)
    expect(stdout).toContain('delivery:   pending')
    expect(stdout).toContain(rig.runs()[0]?.run_id)
    expect(json(await rig.run(['status', 'digest', '--json']))).toMatchObject({
      job: 'digest',
      delivery: 'pending',
      recent_runs: [{ type: 'run.finished', exit_code: 0 }],
    })
    expect((await rig.run(['status', 'digset'])).stderr).toContain('did you mean digest?')
  })

  test('says so when there is nothing, and does not make anything', async () => {
    await using rig = createRig()
    expect((await rig.run(['status'])).stdout).toContain('no runs are on record')
    expect((await rig.run(['alerts'])).stdout).toBe('no alerts\n')
    expect((await rig.run(['summary'])).stdout).toBe('{}\n')
    expect(fs.existsSync(rig.home.base)).toBe(false)
  })

  test('summary prints what cron-summary.json holds', async () => {
    await using rig = createRig()
    await fail(rig, 'bad', 1)
    expect(json(await rig.run(['summary']))).toEqual(rig.summary())
    expect(json(await rig.run(['summary', '--json']))).toEqual(rig.summary())
  })

  test('does not replay what a job sends to terminals', async () => {
    await using rig = createRig()
    await rig.run([
      '--job',
      'evil',
      '--alert-after',
      '1',
      '--',
      'sh',
      '-c',
      "printf '\\033]0;owned\\007\\033[31mred\\033[0m\\n' >&2; exit 1",
    ])
    for (const words of [['status', 'evil'], ['alerts'], ['runs', 'evil']]) {
      const { stdout } = await rig.run(words)
      expect(stdout, words.join(' ')).toContain('red')
      expect(stdout, words.join(' ')).not.toMatch(/\u001b|owned/)
    }
  })
})

describe('alerts', () => {
  test('one per job, updated as the streak grows, acknowledged, gone with a success', async () => {
    await using rig = createRig()
    await fail(rig, 'bad', 2)
    expect(rig.alerts()).toEqual([])
    await fail(rig, 'bad', 2)
    const { stdout } = await rig.run(['alerts'])
    expect(stdout).toMatch(
      /^bad: 4 consecutive failures\n {2}since \S+ \(.*\), latest \S+\n {2}last error: boom\n {2}look: cronwrap logs bad --run \S+\n {2}log: .*bad\.log\n$/,
    )
    expect((await rig.run(['alerts', 'ack', 'bad'])).stdout).toBe('bad: acknowledged consecutive_failures\n')
    await fail(rig, 'bad', 1)
    expect(json(await rig.run(['alerts', '--json']))).toMatchObject([
      {
        job_id: 'bad',
        message: '5 consecutive failures',
        last_error: 'boom',
        kind: 'consecutive_failures',
        consecutive_errors: 5,
        acknowledged: true,
      },
    ])
    expect(rig.alerts()).toEqual(json(await rig.run(['alerts', '--json'])))
    await rig.run(['--job', 'bad', '--', 'true'])
    expect(rig.alerts()).toEqual([])
    await fail(rig, 'bad', 3)
    expect(rig.alerts()).toMatchObject([{ consecutive_errors: 3, acknowledged: false }])
    expect((await rig.run(['alerts', 'ack', 'nobody'])).code).toBe(125)
  })

  test('--alert-after sets when', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'fragile', '--alert-after', '1', '--', 'false'])
    expect(rig.alerts()).toMatchObject([{ job_id: 'fragile', message: '1 failure', consecutive_errors: 1 }])
  })
})

describe('logs and runs', () => {
  test('shows last lines, one run, failed runs, streams and JSON', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'mixed', '--', 'sh', '-c', 'seq 50'])
    await rig.run(['--job', 'mixed', '--', 'sh', '-c', 'echo out; printf err >&2; exit 2'])
    await rig.run(['--job', 'mixed', '--', 'sh', '-c', 'echo third'])
    const [first, second] = rig.runs().map((run) => run.run_id)
    expect((await rig.run(['logs', 'mixed', '-n', '3'])).stdout).toMatch(
      /^third\n--- STDERR \(0 bytes\) ---\n=== END \S+ ===\n$/,
    )
    expect((await rig.run(['logs', 'mixed'])).stdout.split('\n')).toHaveLength(31)
    expect((await rig.run(['logs', 'mixed', '--run', first ?? ''])).stdout).toContain('\n49\n50\n--- STDERR')
    expect((await rig.run(['logs', 'mixed', '--failed'])).stdout.match(/^=== END .*$/gm)).toEqual([
      `=== END ${second} ===`,
    ])
    expect((await rig.run(['logs', 'mixed', '--failed', '--stderr'])).stdout).toBe('err')
    expect((await rig.run(['logs', 'mixed', '--stdout'])).stdout).toBe('third\n')
    expect(json(await rig.run(['logs', 'mixed', '--json', '-n', '2']))).toMatchObject([
      { run_id: second, status: 'error (exit 2)', stdout: 'out\n', stderr: 'err' },
      { status: 'success (exit 0)', stdout: 'third\n' },
    ])
    expect((await rig.run(['logs', 'mixed', '--run', 'nope'])).code).toBe(125)
    const runs = (await rig.run(['runs', 'mixed', '--failed'])).stdout
    expect(runs).toMatch(/^STARTED +STATUS +DURATION +CPU +MEMORY +ATTEMPTS +RUN +ERROR\n.* exit 2 .*err\n$/)
    expect(json<unknown[]>(await rig.run(['runs', 'mixed', '--json', '-n', '2']))).toHaveLength(2)
  })

  test('-f goes on with a run in progress, with runs to come, and across rotation', async () => {
    await using rig = createRig()
    const going = rig.start([
      '--job',
      'long',
      '--',
      'sh',
      '-c',
      'echo one; while [ ! -e go ]; do sleep 0.05; done; echo two',
    ])
    await until('it runs', () => rig.running().length === 1)
    const follow = rig.start(['logs', 'long', '-f'])
    let seen = ''
    follow.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()))
    await until('live output is shown', () => seen.includes('COMMAND: sh -c') && seen.includes('\none\n'))
    rig.write('go', '')
    await going
    await until('its end is shown', () =>
      /one\ntwo\nSTATUS: success \(exit 0\)\nDURATION: .*\n=== END \S+ ===\n$/.test(seen),
    )
    fs.renameSync(`${rig.home.logs}/long.log`, `${rig.home.logs}/long.log.1`)
    await rig.run(['--job', 'long', '--', 'echo', 'three'])
    await rig.run(['delivery', 'long', '77'])
    await until('the new log is followed', () =>
      /\nthree\n[^]*=== END \S+ ===\n--- DELIVERY \S+ sent message_id=77 /.test(seen),
    )
    expect(seen.match(/^one$/gm)).toHaveLength(1)
    follow.kill('SIGTERM')
  })
})

describe('record', () => {
  test('records a run that something else executed', async () => {
    await using rig = createRig()
    rig.write('out', 'printed\n')
    rig.write('err', 'Traceback\nValueError: bad\n')
    const words = [
      'record',
      'legacy',
      '--status',
      'error',
      '--duration-ms',
      '812',
      '--stdout-file',
      'out',
      '--stderr-file',
      'err',
      '--command',
      'python3 task.py',
    ]
    expect(await rig.run(words)).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(rig.summary()['legacy']).toMatchObject({
      last_status: 'error',
      last_duration_ms: 812,
      last_error: 'ValueError: bad',
      last_exit_code: 1,
    })
    expect(rig.log('legacy')).toContain(
      'COMMAND: python3 task.py\nSTATUS: error (exit 1)\nDURATION: 812 ms\n--- STDOUT (8 bytes) ---\nprinted\n',
    )
    await rig.run(['record', 'legacy', '--status', 'success', '--duration-ms', '5'])
    expect(rig.summary()['legacy']).toMatchObject({ total_runs: 2, total_errors: 1, consecutive_success: 1 })
  })

  test('inside a wrapped run of the same job it records nothing twice', async () => {
    await using rig = createRig()
    const script = `"${process.execPath}" "${BIN}" record own --status success --duration-ms 1; "${process.execPath}" "${BIN}" record other --status success --duration-ms 1`
    await rig.run(['--job', 'own', '--', 'sh', '-c', script])
    expect(rig.summary()).toMatchObject({ own: { total_runs: 1 }, other: { total_runs: 1 } })
  })

  test.each([
    [['record', 'x', '--duration-ms', '1'], '--status is missing'],
    [['record', 'x', '--status', 'fine', '--duration-ms', '1'], 'neither success nor error'],
    [['record', 'x', '--status', 'error', '--duration-ms', '1s'], 'whole number'],
    [['record', 'x', '--status', 'error', '--duration-ms', '1', '--stdout-file', 'none'], 'cannot be read'],
  ])('%j is refused', async (words, text) => {
    await using rig = createRig()
    const result = await rig.run(words)
    expect(result.code).toBe(125)
    expect(result.stderr).toContain(text)
    expect(fs.existsSync(rig.home.logs)).toBe(false)
  })
})

describe('repair', () => {
  test.each([
    ['missing', (path: string) => fs.removeSync(path)],
    ['cut short', (path: string) => fs.truncateSync(path, 40)],
    ['empty', (path: string) => fs.truncateSync(path, 0)],
    ['of another shape', (path: string) => fs.writeFileSync(path, '{"good": {"total_runs": "many"}}')],
    ['a directory', (path: string) => (fs.removeSync(path), fs.mkdirSync(path))],
  ])('a summary that is %s is made again, by repair or by the next run', async (_, damage) => {
    await using rig = createRig()
    await rig.run(['--job', 'good', '--', 'true'])
    await fail(rig, 'bad', 3)
    const [summary, alerts] = [rig.summary(), rig.alerts()]
    damage(rig.home.summary)
    expect(json(await rig.run(['summary']))).toEqual(summary)
    expect((await rig.run(['repair'])).stdout).toContain('4 events in 1 segment')
    expect(rig.summary()).toEqual(summary)
    damage(rig.home.summary)
    damage(rig.home.alerts)
    expect(await rig.run(['--job', 'good', '--', 'true'])).toMatchObject({ code: 0, stderr: '' })
    expect(rig.summary()).toMatchObject({ good: { total_runs: 2 }, bad: summary['bad'] })
    expect(rig.alerts()).toEqual(alerts)
  })

  test('keeps a broken view aside and reports lines that are no events', async () => {
    await using rig = createRig()
    await rig.run(['--job', 'good', '--', 'true'])
    fs.writeFileSync(rig.home.summary, 'half written {')
    fs.appendFileSync(rig.home.journal, 'garbage\n{"type":"unknown"}\n')
    const report = json<Record<string, unknown>>(await rig.run(['repair', '--json']))
    expect(report).toMatchObject({ summary_was: 'broken', skipped_lines: 2, events: 1, jobs: 1 })
    const aside = fs.readdirSync(rig.home.logs).filter((name) => name.startsWith('cron-summary.json.corrupt-'))
    expect(aside).toHaveLength(1)
    expect(fs.readFileSync(`${rig.home.logs}/${aside[0]}`, 'utf8')).toBe('half written {')
  })
})

describe('--help and --version', () => {
  const topics = [
    [],
    ...['delivery', 'status', 'alerts', 'logs', 'runs', 'record', 'summary', 'repair', 'state'].map((name) => [name]),
  ]
  test.each(topics.map((words) => [words.join(' '), words]))(
    '40: "%s --help" is on stdout, at most 80 columns wide, with an example',
    async (_, words) => {
      await using rig = createRig()
      for (const asked of [
        [...words, '--help'],
        [...words, '-h'],
        ['help', ...words],
      ]) {
        const { code, stdout, stderr } = await rig.run(asked)
        expect(code).toBe(0)
        expect(stderr).toBe('')
        expect(stdout.split('\n').filter((line) => Buffer.from(line, 'latin1').toString().length > 80)).toEqual([])
        expect(stdout).toMatch(/^Examples:\n {2}\$ cronwrap /m)
      }
    },
  )

  test('40: the version, and 125 for what is unknown', async () => {
    await using rig = createRig()
    const { version } = fs.readJsonSync(`${import.meta.dirname}/../../package.json`) as { version: string }
    expect(await rig.run(['--version'])).toMatchObject({ code: 0, stdout: `cronwrap ${version}\n` })
    expect(await rig.run(['status', '--wat'])).toMatchObject({ code: 125, stdout: '' })
    const unknown = await rig.run(['status', 'none', '--json'])
    expect(JSON.parse(unknown.stderr)).toMatchObject({ error: { code: 'UNKNOWN_JOB' } })
  })
})

test('32: what counts as a failure: not a skipped run; a timeout, an interruption, a command that is not there', async () => {
  await using rig = createRig()
  const entry = (): unknown => {
    const { last_reason, consecutive_errors, total_errors, skipped_runs } = rig.summary()['job'] ?? {}
    return { last_reason, consecutive_errors, total_errors, skipped_runs }
  }
  await rig.run(['--job', 'job', '--timeout', '50ms', '--', 'sleep', '60'])
  expect(entry()).toMatchObject({ last_reason: 'timeout', consecutive_errors: 1, total_errors: 1 })
  const going = rig.start(['--job', 'job', '--', 'sleep', '60'])
  await until('it runs', () => rig.running().length === 1)
  expect(await rig.run(['--job', 'job', '--overlap', 'skip', '--', 'true'])).toMatchObject({ code: 75 })
  expect(entry()).toMatchObject({ consecutive_errors: 1, total_errors: 1, skipped_runs: 1 })
  going.kill('SIGTERM')
  await going
  expect(entry()).toMatchObject({ last_reason: 'interrupted', consecutive_errors: 2, total_errors: 2 })
  await rig.run(['--job', 'job', '--', 'no-such-command'])
  expect(entry()).toMatchObject({ last_reason: 'not-found', consecutive_errors: 3, total_errors: 3 })
  expect(rig.alerts()).toMatchObject([{ kind: 'consecutive_failures', count: 3 }])
})

test('34: a delivery is never good without proof, and one that failed is no failure of the job', async () => {
  await using rig = createRig()
  const state = async (): Promise<unknown> => {
    const { stdout } = await rig.run(['status', 'job', '--json'])
    const { delivery, consecutive_errors, last_status } = JSON.parse(stdout) as Record<string, unknown>
    return [delivery, last_status, consecutive_errors]
  }
  await rig.run(['--job', 'job', '--', 'true'])
  expect(await state()).toEqual(['not_expected', 'success', 0])
  await rig.run(['--job', 'job', '--expect-delivery', '--', 'true'])
  expect(await state()).toEqual(['pending', 'success', 0])
  await rig.run(['delivery', 'job', 'm1', 'failed'])
  expect(await state()).toEqual(['failed', 'success', 0])
  expect(rig.alerts()).toMatchObject([{ kind: 'delivery_failed', count: 1 }])
  await rig.run(['delivery', 'job', 'm2'])
  expect(await state()).toEqual(['sent', 'success', 0])
  expect(rig.alerts()).toEqual([])
  await rig.run(['--job', 'job', '--delivery-grace', '0', '--', 'true'])
  expect(await state()).toEqual(['missing', 'success', 0])
})
