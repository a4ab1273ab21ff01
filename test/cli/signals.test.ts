import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { BIN, createRig, kill, processesOf, until, type Rig } from '../support/rig.ts'

/** A job that writes down each signal it gets, and ends with 7 on TERM. */
const TRAPPER = `
import os, signal, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def note(number, frame):
    os.write(out, (signal.Signals(number).name + "\\n").encode())
    if number == signal.SIGTERM:
        sys.exit(7)
for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "CONT"):
    signal.signal(getattr(signal, "SIG" + name), note)
os.write(out, b"ready\\n")
while True:
    time.sleep(0.05)
`

function lines(path: string): string[] {
  return fs.readFileSync(path, 'utf8').trim().split('\n')
}

/** Runs in progress of which something that was printed is in the spool. */
function printed(rig: Rig, stream: 'stdout' | 'stderr' = 'stdout'): number {
  const sizeOf = (id: string): number => {
    const path = `${rig.home.running}/${id}/1.${stream}.0`
    return fs.existsSync(path) ? fs.statSync(path).size : 0
  }
  return rig.running().filter((id) => sizeOf(id) > 0).length
}

function childrenOf(pid: number): string[] {
  return fs
    .readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter((child) => child !== '')
}

/** Node itself catches TERM from its start; USR2 is ours. */
function listens(pid: number): boolean {
  const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (BigInt(`0x${caught ?? '0'}`) & (1n << 11n)) !== 0n
}

async function startTrapper(rig: Rig, words: readonly string[] = []) {
  const script = rig.write('trapper.py', TRAPPER)
  const seen = rig.path('signals')
  const child = rig.start([...words, '--job', 'trapper', '--', 'python3', script, seen], { detached: true })
  await until('the job is ready', () => lines(seen).includes('ready'))
  return { child, seen }
}

test('8: signals reach the job, each time, and its own code comes back', async () => {
  await using rig = createRig()
  const { child, seen } = await startTrapper(rig)
  const sent = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1'] as const
  for (const [index, signal] of sent.entries()) {
    child.kill(signal)
    await until(`signal ${index} arrives`, () => lines(seen).length === index + 2)
  }
  child.kill('SIGTERM')
  expect((await child).exitCode).toBe(7)
  expect(lines(seen)).toEqual(['ready', ...sent, 'SIGTERM'])
  expect(rig.summary()['trapper']).toMatchObject({ last_exit_code: 7, last_reason: 'interrupted' })
})

test('8: a job that ends well after TERM has not failed; one that dies of it was interrupted', async () => {
  await using rig = createRig()
  const good = rig.start([
    '--job',
    'good',
    '--',
    'sh',
    '-c',
    'trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done',
  ])
  const bad = rig.start(['--job', 'bad', '--', 'sh', '-c', 'echo ready; exec sleep 60'])
  await until('both are ready', () => printed(rig) === 2)
  for (const child of [good, bad]) {
    child.kill('SIGTERM')
    await child
  }
  expect((await good).exitCode).toBe(0)
  expect((await bad).exitCode).toBe(143)
  expect(rig.summary()['good']).toMatchObject({ last_status: 'success', last_reason: 'exit' })
  expect(rig.summary()['bad']).toMatchObject({
    last_status: 'error',
    last_reason: 'interrupted',
    last_signal: 'SIGTERM',
  })
  expect(rig.log('bad')).toContain('STATUS: error (interrupted (SIGTERM))\n')
})

test.each([
  ['a shell that waits for a child', 'echo up; sleep 999; true'],
  ['a pipeline in the background', '(yes | tail) & echo up; wait'],
  ['grandchildren', 'sh -c "sh -c \\"echo up; sleep 999; true\\"; true"; true'],
])('9: TERM leaves nothing of %s', async (_, script) => {
  await using rig = createRig()
  const child = rig.start(['--', 'sh', '-c', script], { detached: true })
  await until('the job is up', () => printed(rig) === 1)
  child.kill('SIGTERM')
  expect((await child).exitCode).toBe(143)
  await until('all processes of the run are gone', () => processesOf(rig.directory).length === 0)
})

test('9: a process that was forked while TERM went round gets it too', async () => {
  await using rig = createRig()
  // The shell prints, then forks: TERM often comes in between.
  const runs = Array.from({ length: 12 }, async (_, index) => {
    const script = 'sh -c "echo up; sleep 999; true"; true'
    const child = rig.start(['--job', `fork-${index}`, '--', 'sh', '-c', script], { detached: true })
    await new Promise<void>((resolve) => void child.stdout?.once('data', () => resolve()))
    child.kill('SIGTERM')
    expect((await child).exitCode).toBe(143)
  })
  await Promise.all(runs)
  await until('all processes of the runs are gone', () => processesOf(rig.directory).length === 0)
})

test('10: a job that ignores TERM is killed after the grace, with all it started', async () => {
  await using rig = createRig()
  const script =
    'trap "" TERM; (trap "" TERM; exec sleep 888) & setsid sleep 777 & echo up; while :; do sleep 0.1; done'
  const started = Date.now()
  const result = await rig.run([
    '--job',
    'stubborn',
    '--timeout',
    '400ms',
    '--kill-after',
    '600ms',
    '--',
    'sh',
    '-c',
    script,
  ])
  const tookMs = Date.now() - started
  expect(result).toMatchObject({ code: 124, stdout: 'up\n' })
  expect(tookMs).toBeGreaterThan(950)
  expect(tookMs).toBeLessThan(6000)
  expect(rig.summary()['stubborn']).toMatchObject({
    last_reason: 'timeout',
    last_exit_code: 124,
    last_signal: 'SIGKILL',
  })
  expect(processesOf(rig.directory)).toEqual([])
})

test('10: a stopped job ends at its timeout too, and one that heeds TERM is not waited for', async () => {
  await using rig = createRig()
  const started = Date.now()
  const result = await rig.run([
    '--timeout',
    '300ms',
    '--kill-after',
    '30s',
    '--',
    'sh',
    '-c',
    'echo up; kill -STOP $$',
  ])
  expect(result).toMatchObject({ code: 124, stdout: 'up\n' })
  expect(Date.now() - started).toBeLessThan(10_000)
})

test('10: a daemon that left its parents does not survive the timeout', async () => {
  await using rig = createRig()
  const script = '(setsid sh -c "sleep 999 > /dev/null 2>&1" &) ; sleep 0.2; echo up; sleep 60'
  const result = await rig.run(['--timeout', '600ms', '--kill-after', '1s', '--', 'sh', '-c', script])
  expect(result.code).toBe(124)
  expect(processesOf(rig.directory)).toEqual([])
})

test('11: a job that ends as its time runs out has one end, and the record agrees with it', async () => {
  await using rig = createRig()
  const jobs = Array.from({ length: 24 }, (_, index) => `edge-${index}`)
  for (let first = 0; first < jobs.length; first += 4) {
    await Promise.all(
      jobs.slice(first, first + 4).map(async (job) => {
        const { code } = await rig.run(['--job', job, '--timeout', '200ms', '--', 'sleep', '0.2'])
        expect([0, 124]).toContain(code)
        const reason = code === 0 ? 'exit' : 'timeout'
        expect(rig.runs().filter((run) => run.job === job)).toMatchObject([{ exit_code: code, reason }])
      }),
    )
  }
})

test('12: a process left behind that holds the output does not hold us', async () => {
  await using rig = createRig()
  const started = Date.now()
  const result = await rig.run([
    '--job',
    'daemon',
    '--drain',
    '300ms',
    '--',
    'sh',
    '-c',
    'sleep 30 & head -c 200000 /dev/zero; echo; echo hi; exit 3',
  ])
  expect(Date.now() - started).toBeLessThan(5000)
  expect(result.code).toBe(3)
  expect(result.stdoutBytes.byteLength).toBe(200_004)
  expect(rig.log('daemon')).toMatch(/^NOTE: .*reading stopped$/m)
  expect(rig.log('daemon')).toContain('--- STDOUT (200004 bytes) ---')
})

const AT_TERMINAL = `
import os, pty, select, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
def read_until(text):
    global seen
    deadline = time.time() + 20
    while text not in seen and time.time() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
read_until(b"ready")
os.write(terminal, sys.argv[1].encode().decode("unicode_escape").encode())
read_until(b"done")
_, status = os.waitpid(pid, 0)
sys.stdout.write(repr(seen.decode()) + " " + str(os.waitstatus_to_exitcode(status)))
`

const COUNTER = `
import signal, sys, time
count = 0
def note(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, note)
print("ready", flush=True)
while count == 0:
    time.sleep(0.05)
time.sleep(0.5)
print("done", count, flush=True)
sys.exit(9)
`

test('13: Ctrl-C at a terminal reaches the job once', async () => {
  await using rig = createRig()
  const driver = rig.write('terminal.py', AT_TERMINAL)
  const counter = rig.write('counter.py', COUNTER)
  const result = await rig.spawn('python3', [driver, '\\x03', process.execPath, BIN, '--', 'python3', counter])
  expect(Buffer.from(result.stdout).toString()).toMatch(/done 1\\r\\n' 9$/)
})

test('13: job control stops and continues wrapper and job together', async () => {
  await using rig = createRig()
  const script = `set -m
    cronwrap --job controlled -- sh -c 'echo up > up; sleep 0.3; echo over; exit 6' & pid=$!
    while [ ! -e up ]; do sleep 0.02; done
    kill -TSTP -- -$pid; sleep 0.5; jobs -l; kill -CONT -- -$pid; wait $pid; echo "code $?"`
  const result = await rig.shell(script)
  expect(result.stdout).toContain('Stopped')
  expect(result.stdout).toContain('over\ncode 6\n')
})

test('14: * a job under nohup survives a hangup', async () => {
  await using rig = createRig()
  const script = `nohup "${process.execPath}" "${BIN}" --job nightly -- sh -c 'echo up > up; sleep 0.5; echo survived; exit 5' &
    pid=$!
    while [ ! -e up ]; do sleep 0.02; done
    kill -HUP $pid; for child in $(ps -o pid= --ppid $pid); do kill -HUP $child; done
    wait $pid; echo "code $?"`
  const result = await rig.shell(script)
  expect(result.stdout).toBe('survived\ncode 5\n')
  expect(rig.summary()['nightly']).toMatchObject({ last_exit_code: 5, last_reason: 'exit' })
})

test('15: * a run whose wrapper was killed is recorded once, as lost, with the output it had', async () => {
  await using rig = createRig()
  const script = 'echo before; echo oops >&2; sleep 60'
  const lost = rig.start(['--job', 'lost', '--overlap', 'skip', '--', 'sh', '-c', script], { detached: true })
  const alive = rig.start(['--job', 'alive', '--', 'sh', '-c', 'echo going; sleep 60'])
  await until('both have printed', () => printed(rig) === 2 && printed(rig, 'stderr') === 1)
  kill(-(lost.pid ?? 0), 'SIGKILL')
  await lost
  // The overlap lock of a dead holder is free at once.
  expect((await rig.run(['--job', 'lost', '--overlap', 'skip', '--', 'true'])).code).toBe(0)
  await Promise.all([rig.run(['status']), rig.run(['--job', 'other', '--', 'true']), rig.run(['alerts'])])
  expect(rig.runs().filter((run) => run.reason === 'lost')).toMatchObject([
    { job: 'lost', status: 'error', exit_code: null, duration_ms: null, last_seen: expect.any(String) as string },
  ])
  expect(rig.summary()['lost']).toMatchObject({ total_runs: 2, total_errors: 1, last_status: 'success' })
  expect(rig.log('lost').match(/=== END /g)).toHaveLength(2)
  expect(rig.log('lost')).toContain('--- STDOUT (7 bytes) ---\nbefore\n--- STDERR (5 bytes) ---\noops\n')
  expect(rig.running()).toHaveLength(1)
  expect(rig.runs().filter((run) => run.job === 'alive')).toEqual([])
  alive.kill('SIGKILL')
})

test('15: a job that outlives its killed wrapper still holds its place, and can be replaced', async () => {
  await using rig = createRig()
  const wrapper = rig.start(['--job', 'orphan', '--overlap', 'skip', '--', 'sh', '-c', 'echo up; sleep 60'])
  await until('it is up', () => printed(rig) === 1)
  wrapper.kill('SIGKILL')
  await wrapper
  expect((await rig.run(['--job', 'orphan', '--overlap', 'skip', '--', 'true'])).code).toBe(75)
  expect((await rig.run(['--job', 'orphan', '--overlap', 'replace', '--', 'true'])).code).toBe(0)
  expect(rig.summary()['orphan']).toMatchObject({ total_runs: 2, skipped_runs: 1 })
})

test('15: one spool that cannot be recorded keeps no other from it', async () => {
  await using rig = createRig()
  const jobs = ['a', 'b'].map((job) =>
    rig.start(['--job', job, '--', 'sh', '-c', 'echo up; sleep 60'], { detached: true }),
  )
  await until('both are up', () => printed(rig) === 2)
  fs.mkdirSync(`${rig.home.logs}/a.log`)
  for (const child of jobs) {
    kill(-(child.pid ?? 0), 'SIGKILL')
    await child
  }
  const report = JSON.parse((await rig.run(['repair', '--json'])).stdout) as { problems: string[]; lost_runs: string[] }
  expect(report.problems).toMatchObject([expect.stringContaining('of a could not be recorded')])
  expect(report.lost_runs).toHaveLength(1)
  expect(rig.summary()).toMatchObject({ a: { last_reason: 'lost' }, b: { last_reason: 'lost' } })
  fs.rmdirSync(`${rig.home.logs}/a.log`)
  await rig.run(['repair'])
  expect(rig.summary()['a']).toMatchObject({ total_runs: 1 })
  expect(rig.log('a')).toContain('up\n')
})

test('15: an end that the wrapper knew is recorded as it was, also where a torn line of it is in the journal', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'first', '--', 'true'])
  const child = rig.start(['--job', 'torn', '--', 'sh', '-c', 'echo up; sleep 60'], { detached: true })
  await until('it is up', () => printed(rig) === 1)
  kill(-(child.pid ?? 0), 'SIGKILL')
  await child
  const [id = ''] = rig.running()
  const event = { ...rig.runs()[0], id, run_id: id, job: 'torn', status: 'error', exit_code: 7 }
  fs.appendFileSync(`${rig.home.running}/${id}/run.json`, `${JSON.stringify(event)}\n`)
  fs.appendFileSync(rig.home.journal, JSON.stringify(event).slice(0, 120))
  await rig.run(['--job', 'later', '--', 'true'])
  expect(rig.summary()['torn']).toMatchObject({ total_runs: 1, last_exit_code: 7, last_reason: 'exit' })
})

test('a spool whose run.json makes no sense is kept aside after a while, and told of', async () => {
  await using rig = createRig()
  const child = rig.start(['--job', 'torn', '--', 'sh', '-c', 'echo up; sleep 60'], { detached: true })
  await until('it is up', () => printed(rig) === 1)
  kill(-(child.pid ?? 0), 'SIGKILL')
  await child
  const [id = ''] = rig.running()
  const spool = `${rig.home.running}/${id}`
  fs.writeFileSync(`${spool}/run.json`, '{"run_id": "')
  await rig.run(['repair'])
  expect(rig.running()).toEqual([id])
  const then = new Date(Date.now() - 11 * 60_000)
  for (const name of fs.readdirSync(spool)) fs.utimesSync(`${spool}/${name}`, then, then)
  fs.utimesSync(spool, then, then)
  await rig.run(['repair'])
  expect(rig.running()).toEqual([])
  expect(fs.readFileSync(`${rig.home.logs}/${id}.corrupt/1.stdout.0`, 'utf8')).toBe('up\n')
  expect(fs.readFileSync(`${rig.home.logs}/cronwrap.log`, 'utf8')).toContain(`run ${id} cannot be recorded`)
})

const STUCK = `
import os, signal, subprocess, sys, time
reader, writer = os.pipe()
child = subprocess.Popen(sys.argv[1:], stdout=writer)
os.close(writer)
time.sleep(1.5)
child.send_signal(signal.SIGTERM)
start = time.time()
code = child.wait(timeout=15)
print(code, time.time() - start < 2)
`

test.each([
  ['while the job prints', ['--', 'yes'], '143 True'],
  ['with output held back', ['--tee', 'on-failure', '--', 'sh', '-c', 'head -c 3000000 /dev/zero; exit 3'], '3 True'],
  ['after a timeout', ['--timeout', '300ms', '--', 'yes'], '124 True'],
])('8: TERM ends us though nobody reads our output, %s, and the run is on record', async (_, words, expected) => {
  await using rig = createRig()
  const driver = rig.write('stuck.py', STUCK)
  const result = await rig.spawn('python3', [driver, process.execPath, BIN, '--job', 'stuck', ...words])
  expect(Buffer.from(result.stdout).toString().trim()).toBe(expected)
  expect(Buffer.from(result.stderr).toString()).toBe('')
  expect(rig.runs()).toMatchObject([{ exit_code: Number(expected.split(' ')[0]) }])
})

test('8: TERM while output is drained ends the wait, and the job has ended by itself', async () => {
  await using rig = createRig()
  const child = rig.start(['--job', 'drained', '--drain', '30s', '--', 'sh', '-c', 'sleep 60 & echo up; exit 3'])
  const job = await until('the job has ended', () => printed(rig) === 1 && childrenOf(child.pid ?? 0).length === 0)
  expect(job).toBe(true)
  child.kill('SIGTERM')
  expect((await child).exitCode).toBe(3)
  expect(rig.runs()).toMatchObject([{ exit_code: 3, reason: 'exit' }])
})

test('8: a signal before the job begins is heard: nothing runs', async () => {
  await using rig = createRig()
  for (const words of [
    ['--jitter', '20h'],
    ['--overlap', 'wait'],
  ]) {
    const holder = rig.start(['--job', 'early', '--overlap', 'skip', '--', 'sh', '-c', 'echo up; sleep 60'])
    await until('the place is taken', () => printed(rig) === 1)
    const child = rig.start(['--job', 'early', ...words, '--', 'touch', 'ran'])
    await until('it listens', () => listens(child.pid ?? 0))
    child.kill('SIGTERM')
    expect((await child).exitCode, words.join(' ')).toBe(143)
    holder.kill('SIGTERM')
    await holder
  }
  expect(fs.existsSync(rig.path('ran'))).toBe(false)
})

test('15: what a supervisor killed after TERM says so, and a torn journal line costs no other', async () => {
  await using rig = createRig()
  const child = rig.start(['--job', 'slow', '--', 'sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.1; done'], {
    detached: true,
  })
  await until('the job is up', () => printed(rig) === 1)
  child.kill('SIGTERM')
  await until(
    'the signal is noted',
    () => rig.running().some((id) => fs.existsSync(`${rig.home.running}/${id}/signal`)),
    200,
  )
  kill(-(child.pid ?? 0), 'SIGKILL')
  await child
  await rig.run(['--job', 'first', '--', 'true'])
  fs.appendFileSync(rig.home.journal, '{"type":"run.finished","id":"torn')
  await rig.run(['--job', 'second', '--', 'true'])
  expect(rig.summary()['slow']).toMatchObject({ last_reason: 'interrupted', last_signal: 'SIGTERM', total_runs: 1 })
  expect(rig.summary()['slow']?.last_error).toBe('interrupted (SIGTERM)')
  expect(rig.summary()['second']).toMatchObject({ total_runs: 1 })
})

test('16: as process 1 of its own world it returns the code and leaves nothing', async (context) => {
  await using rig = createRig()
  const unshare = ['--pid', '--fork', '--mount-proc', '--kill-child']
  const probe = await rig.spawn('unshare', [...unshare, 'true'])
  if (probe.exitCode !== 0) return context.skip('this user may not make namespaces')
  const script = '(setsid sleep 300 > /dev/null 2>&1 &); echo "pid $PPID"; exit 9'
  const result = await rig.spawn('unshare', [
    ...unshare,
    process.execPath,
    BIN,
    '--job',
    'init',
    '--',
    'sh',
    '-c',
    script,
  ])
  expect(result.exitCode).toBe(9)
  expect(Buffer.from(result.stdout).toString()).toBe('pid 1\n')
  await until('nothing is left', () => processesOf(rig.directory).length === 0)
  expect(rig.summary()['init']).toMatchObject({ last_exit_code: 9, total_runs: 1 })
})
