import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { BIN, createRig, until, type Rig } from '../support/rig.ts'

const RUN = `"${process.execPath}" "${BIN}"`

/** What the log keeps of a stream, byte for byte. */
async function stored(rig: Rig, job: string, stream: 'stdout' | 'stderr'): Promise<Buffer> {
  return (await rig.run(['logs', job, `--${stream}`])).stdoutBytes
}

test('17: stdin reaches the job, whatever it is', async () => {
  await using rig = createRig()
  rig.write('input', 'from a file\n')
  expect((await rig.shell(`echo piped | cronwrap -- cat`)).stdout).toBe('piped\n')
  expect((await rig.shell(`cronwrap -- cat < input`)).stdout).toBe('from a file\n')
  expect(await rig.shell(`cronwrap -- cat < /dev/null`)).toMatchObject({ code: 0, stdout: '' })
  expect(await rig.shell(`cronwrap -- sh -c 'echo ran; exit 3' <&-`)).toMatchObject({
    code: 3,
    stdout: 'ran\n',
    stderr: '',
  })
})

test('17: an idle stdin that stays open does not keep us', async () => {
  await using rig = createRig()
  const child = rig.start(['--', 'sh', '-c', 'exit 3'], { stdin: 'pipe' })
  expect((await child).exitCode).toBe(3)
})

test('18: stdout and stderr arrive apart, in order and live', async () => {
  await using rig = createRig()
  const child = rig.start([
    '--',
    'sh',
    '-c',
    'echo 1; echo a >&2; while [ ! -e go ]; do sleep 0.02; done; echo 2; echo b >&2',
  ])
  let early = ''
  child.stdout?.on('data', (chunk: Buffer) => (early += chunk.toString()))
  await until('the first line is through while the job runs', () => early === '1\n')
  rig.write('go', '')
  const { stdout, stderr } = await child
  expect([Buffer.from(stdout).toString(), Buffer.from(stderr).toString()]).toEqual(['1\n2\n', 'a\nb\n'])
})

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
test.each([
  ['every byte there is', EVERY_BYTE],
  ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0x41, 0xc3, 0x28, 0x0a])],
  ['NULs', Buffer.alloc(5000)],
  ['carriage returns', Buffer.from('10%\r20%\r30%\r')],
  ['ANSI', Buffer.from('\u001b[31mred\u001b[0m\u001b]0;title\u0007\n')],
  ['no final newline', Buffer.from('no newline')],
  ['nothing', Buffer.alloc(0)],
  ['Chinese text cut anywhere', Buffer.from('喝水提醒🚰\n'.repeat(20_000))],
  [
    'a mark of our own log',
    Buffer.from('=== END x ===\n--- STDERR (3 bytes) ---\n=== 2026-01-01T00:00:00+00:00 bytes run=x ===\n'),
  ],
])('19: %s is passed on and stored exactly', async (_, bytes) => {
  await using rig = createRig()
  rig.write('bytes.bin', bytes)
  const result = await rig.run(['--job', 'bytes', '--', 'sh', '-c', 'cat bytes.bin; cat bytes.bin >&2'])
  expect(result.stdoutBytes.equals(bytes)).toBe(true)
  expect(result.stderrBytes.equals(bytes)).toBe(true)
  expect((await stored(rig, 'bytes', 'stdout')).equals(bytes)).toBe(true)
  expect((await stored(rig, 'bytes', 'stderr')).equals(bytes)).toBe(true)
  expect(rig.runs()).toMatchObject([{ stdout_bytes: bytes.byteLength, stderr_bytes: bytes.byteLength }])
})

test('19: a job may open /dev/stdout and /dev/stderr by name', async () => {
  await using rig = createRig()
  const result = await rig.run([
    '--job',
    'named',
    '--',
    'sh',
    '-c',
    'echo a; echo b > /dev/stdout; echo c | tee /dev/stderr; echo d >> /dev/stdout',
  ])
  expect(result).toMatchObject({ code: 0, stdout: 'a\nb\nc\nd\n', stderr: 'c\n' })
  expect((await stored(rig, 'named', 'stdout')).toString()).toBe('a\nb\nc\nd\n')
})

test.each([200_000, 9_000_000])('20: a line of %i bytes is complete', async (length) => {
  await using rig = createRig()
  const result = await rig.run(['--job', 'line', '--', 'sh', '-c', `head -c ${length} /dev/zero | tr '\\0' x; echo`])
  expect(result.stdoutBytes.byteLength).toBe(length + 1)
  expect((await stored(rig, 'line', 'stdout')).equals(result.stdoutBytes)).toBe(true)
})

test('21: a megabyte on stderr before anything else is no deadlock', async () => {
  await using rig = createRig()
  const result = await rig.run(['--', 'sh', '-c', 'head -c 1000000 /dev/zero >&2; echo out'])
  expect(result.stdout).toBe('out\n')
  expect(result.stderrBytes.byteLength).toBe(1_000_000)
})

test('22: a gigabyte passes through in bounded memory; the log keeps head and tail', async () => {
  await using rig = createRig()
  const script = 'echo HEAD; head -c 1073741824 /dev/zero; echo TAIL'
  const child = rig.spawn('bash', ['-c', `${RUN} --job big -- sh -c '${script}' | wc -c`])
  let peakKiB = 0
  const wrapper = await until(
    'the wrapper runs',
    () => rig.running().map((id) => fs.readJsonSync(`${rig.home.running}/${id}/run.json`) as { pid: number })[0],
  )
  const watch = setInterval(() => {
    const status = fs.existsSync(`/proc/${wrapper.pid}/status`)
      ? fs.readFileSync(`/proc/${wrapper.pid}/status`, 'utf8')
      : ''
    peakKiB = Math.max(peakKiB, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
  }, 20)
  const result = await child
  clearInterval(watch)
  expect(Buffer.from(result.stdout).toString().trim()).toBe(String(1_073_741_824 + 10))
  expect(peakKiB).toBeGreaterThan(10_000)
  expect(peakKiB).toBeLessThan(100 * 1024)
  const kept = await stored(rig, 'big', 'stdout')
  expect(kept.subarray(0, 5).toString()).toBe('HEAD\n')
  expect(kept.subarray(-5).toString()).toBe('TAIL\n')
  expect(rig.log('big')).toContain('--- STDOUT (1073741834 bytes: first 5242880 and last 5242880 kept) ---')
  expect(rig.log('big')).toContain('[cronwrap: 1063256074 bytes left out]')
})

test('23: a slow reader gets everything and the job waits for it', async () => {
  await using rig = createRig()
  const result = await rig.shell(
    `cronwrap --job slow --drain 100ms -- sh -c 'head -c 5000000 /dev/zero; date +%s%N > ended' | (sleep 1; date +%s%N > reading; wc -c)`,
  )
  expect(result.stdout.trim()).toBe('5000000')
  expect(Number(fs.readFileSync(rig.path('ended')))).toBeGreaterThan(Number(fs.readFileSync(rig.path('reading'))))
  expect((await stored(rig, 'slow', 'stdout')).byteLength).toBe(5_000_000)
})

test.each([
  ['a reader that has gone', '| true'],
  ['a reader that leaves', '| head -c 1 > /dev/null'],
  ['a closed stdout', '>&-'],
  ['a full device', '> /dev/full'],
])('24: * %s ends neither the job nor the record', async (_, redirection) => {
  await using rig = createRig()
  const script = `for i in 1 2 3 4 5 6; do head -c 200000 /dev/zero; done; echo finished > finished; exit 5`
  const result = await rig.shell(`{ cronwrap --job reader -- sh -c '${script}'; echo $? > code; } ${redirection}`)
  expect(result.stderr).toBe('')
  expect(fs.readFileSync(rig.path('code'), 'utf8')).toBe('5\n')
  expect(fs.readFileSync(rig.path('finished'), 'utf8')).toBe('finished\n')
  expect(rig.runs()).toMatchObject([{ exit_code: 5, stdout_bytes: 1_200_000 }])
})

test.each([
  ['with --', ['--']],
  ['with run', ['run']],
  ['with neither', []],
])("25: the job's own words are its own, %s", async (_, prefix) => {
  await using rig = createRig()
  const show = rig.write('show.sh', '#!/bin/sh\nprintf "%s|" "$@"\n')
  const words = [
    '--help',
    '-c',
    '--version',
    '--job',
    'a b',
    '',
    '"q" \'s\'',
    'new\nline',
    '%s',
    '$HOME',
    '*',
    '--',
    '-x',
  ]
  const result = await rig.run([...prefix, show, ...words])
  expect(result).toMatchObject({ code: 0, stdout: `${words.join('|')}|`, stderr: '' })
  expect(rig.runs()).toMatchObject([{ job: 'show', command: [show, ...words] }])
  expect(rig.log('show').split('\n')[1]).toMatch(/^COMMAND: .*\$'new\\nline'/)
})

test.each(['../x', 'a/b', '', '.hidden', 'x'.repeat(300), 'a b', 'a\nb', '..'])('26: %j names no job', async (id) => {
  await using rig = createRig()
  for (const words of [
    ['--job', id, '--', 'true'],
    ['delivery', id, '1'],
    ['logs', id],
    ['runs', id],
    ['record', id, '--status', 'success', '--duration-ms', '1'],
  ]) {
    const result = await rig.run(words)
    expect(result.code, words.join(' ')).toBe(125)
    expect(result.stderr, words.join(' ')).toContain('cannot name a job')
  }
  expect(fs.existsSync(rig.home.logs)).toBe(false)
})

test('26: a name that the command gives never leaves the logs, and no job fails for it', async () => {
  await using rig = createRig()
  const odd = rig.write('we ird/..na me;$(x).sh', '#!/bin/sh\nexit 0\n')
  expect(await rig.run(['--', odd])).toMatchObject({ code: 0, stderr: '' })
  expect(await rig.runWith({ CRONWRAP_JOB: '../up' }, ['--', 'true'])).toMatchObject({
    code: 0,
    stderr: 'cronwrap: CRONWRAP_JOB "../up" cannot name a job; recorded as "true"\n',
  })
  expect(Object.keys(rig.summary()).sort()).toEqual(['na-me-x-', 'true'])
  for (const id of ['constructor', '__proto__', '喝水', 'a.b-c_d']) await rig.run(['--job', id, '--', 'true'])
  expect(JSON.parse((await rig.run(['status', '--json'])).stdoutBytes.toString())).toMatchObject([
    { job: '__proto__', total_runs: 1 },
    { job: 'a.b-c_d', total_runs: 1 },
    { job: 'constructor', total_runs: 1 },
    { job: 'na-me-x-' },
    { job: 'true' },
    { job: '喝水', total_runs: 1 },
  ])
})

test('27: --tee on-failure is silent on success and shows both streams of a failure', async () => {
  await using rig = createRig()
  const words = (code: number): string[] => [
    '--tee',
    'on-failure',
    '--',
    'sh',
    '-c',
    `echo out; echo err >&2; printf more; exit ${code}`,
  ]
  expect(await rig.run(words(0))).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect(await rig.run(words(2))).toMatchObject({ code: 2, stdout: 'out\nmore', stderr: 'err\n' })
})

test.each([
  ['stdout', 'out\n', ''],
  ['stderr', '', 'err\n'],
  ['both', 'out\n', 'err\n'],
  ['none', '', ''],
])('27: --tee %s', async (mode, stdout, stderr) => {
  await using rig = createRig()
  const result = await rig.run(['--job', 'tee', '--tee', mode, '--', 'sh', '-c', 'echo out; echo err >&2'])
  expect(result).toMatchObject({ code: 0, stdout, stderr })
  expect(rig.log('tee')).toContain('out\n--- STDERR (4 bytes) ---\nerr\n')
})

test('27: --on-failure-line says on stdout what failed, and nothing else on success', async () => {
  await using rig = createRig()
  expect((await rig.run(['--job', 'backup', '--on-failure-line', '--', 'sh', '-c', 'echo ok'])).stdout).toBe('ok\n')
  const failed = await rig.run(['--job', 'backup', '--on-failure-line', '--', 'sh', '-c', 'echo half; exit 3'])
  expect(failed.stdout).toMatch(/^half\nbackup failed: exit 3 after \d+ ms: half; log: .*\/logs\/backup\.log\n$/)
})

test('28: descriptors, umask, priority, limits and environment reach the job unchanged', async () => {
  await using rig = createRig()
  const script = `cat <&3; echo to-four >&4; umask; nice; ulimit -Sn; ulimit -Sc; echo "$FOO.BAR \${CRONWRAP_JOB_ID} \${#CRONWRAP_RUN_ID}"; env | grep -c '^odd.name='; ls /proc/self/fd | wc -l`
  const run = `ulimit -n 300; ulimit -c 0; umask 027; exec 3< three 4> four 9< three`
  rig.write('three', 'from-three\n')
  rig.write('job.sh', script)
  const bare = await rig.shell(`${run}; export FOO=bar; env odd.name=1 nice -n 5 sh job.sh; true`)
  const wrapped = await rig.shell(
    `${run}; export FOO=bar; env odd.name=1 nice -n 5 ${RUN} --job inherit -- sh job.sh; true`,
  )
  expect(bare.stdout).toMatch(/^from-three\n0027\n5\n300\n0\nbar/)
  expect(wrapped.stdout.replace('inherit 36', ' 0')).toBe(bare.stdout)
  expect(fs.readFileSync(rig.path('four'), 'utf8')).toBe('to-four\n')
})
