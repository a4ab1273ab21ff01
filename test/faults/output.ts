import { createHash } from 'node:crypto'
import { createRig, type Finished, type Rig } from '../support/rig.ts'
import { eachCase, type Outcome, type Scenario } from './scenario.ts'

const MIB = 1024 * 1024
/** What cronwrap keeps of each stream. */
const KEPT_BYTES = 10 * MIB

/** A program in Python that prints something; `out` and `err` are its streams, in bytes. */
interface Output {
  readonly name: string
  readonly python: string
}

const OUTPUTS: readonly Output[] = [
  { name: 'nothing', python: '' },
  { name: 'no final newline', python: `out(b"no newline")` },
  { name: '1 GiB', python: `[out(b"0123456789abcdef" * 65536) for _ in range(1024)]` },
  { name: 'one line of 100 MiB', python: `[out(b"x" * ${MIB}) for _ in range(100)]` },
  { name: 'one line of 10 MiB', python: `[out(b"y " * ${MIB / 2}) for _ in range(10)]` },
  { name: 'invalid UTF-8', python: `out(bytes(range(128, 256)) * 40 + b"\\n\\xe2\\x82")` },
  { name: 'NUL', python: `out(b"a\\0b\\0\\0\\n" * 5000)` },
  { name: 'ANSI', python: `out(b"\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07\\n" * 50)` },
  { name: 'CR only', python: `[out(b"%d%%\\r" % i) for i in range(100)]` },
  { name: 'marks of our own log', python: `out(b"=== END 01 ===\\n--- STDERR (0 bytes) ---\\n=== END x ===\\n" * 20)` },
  { name: '1,000,000 lines', python: `[out(b"line %d\\n" % i) for i in range(1000000)]` },
  { name: 'both streams at once', python: `[(out(b"o" * 7919), err(b"e" * 7907)) for _ in range(2000)]` },
  { name: 'stderr only', python: `[err(b"e%d\\n" % i) for i in range(50000)]` },
  { name: 'one byte at a time', python: `[out(bytes([65 + i % 26])) for i in range(3000)]` },
]

async function passesThrough(output: Output): Promise<string[]> {
  await using rig = createRig()
  const script = rig.write('job.py', PROLOGUE + output.python + '\nsys.exit(3)\n')
  const [without, through] = await Promise.all([
    hashed(rig, ['python3', '-u', script]),
    hashed(rig, ['cronwrap', '--job', 'printer', '--', 'python3', '-u', script]),
  ])
  if (without !== through) return [`without it ${without}, through it ${through}`]
  const [run] = rig.runs()
  if (run === undefined || run.exit_code !== 3) return ['the run is not on record']
  const problems: string[] = []
  for (const name of ['stdout', 'stderr'] as const) {
    if (run[`${name}_bytes`] > KEPT_BYTES) {
      problems.push(...(await endsKept(rig, script, name)))
      continue
    }
    const kept = await hashed(rig, ['cronwrap', 'logs', 'printer', `--${name}`])
    const printed = await hashed(rig, [
      'sh',
      '-c',
      `python3 -u ${script} ${name === 'stdout' ? '2>/dev/null' : '2>&1 >/dev/null'}; exit 0`,
    ])
    if (kept !== printed) problems.push(`${name} in the log: ${kept}, printed ${printed}`)
  }
  return problems
}

/** Of more than is kept: the first and the last bytes, but for the rest of the lines at the gap. */
async function endsKept(rig: Rig, script: string, name: 'stdout' | 'stderr'): Promise<string[]> {
  const compared = 4 * MIB
  const redirect = name === 'stdout' ? '2>/dev/null' : '2>&1 >/dev/null'
  const cut = (end: string, producer: string): string => `${producer} | ${end} -c ${compared} | sha256sum`
  const logs = `cronwrap logs printer --${name}`
  const shell = ['head', 'tail']
    .flatMap((end) => [cut(end, logs), cut(end, `python3 -u ${script} ${redirect}`)])
    .join('\n')
  const [keptHead, head, keptTail, tail] = (await rig.shell(shell)).stdout.split('\n')
  return keptHead === head && keptTail === tail
    ? []
    : [`the ends of ${name} in the log are not those that were printed`]
}

const PROLOGUE = `import sys
out, err = sys.stdout.buffer.write, sys.stderr.buffer.write
`

/** Exit code and what the streams hold, as one line. */
async function hashed(rig: Rig, words: readonly string[]): Promise<string> {
  const [program = '', ...rest] = words
  const options = { stdin: 'ignore', buffer: false } as const
  const child = program === 'cronwrap' ? rig.start(rest, options) : rig.spawn(program, rest, options)
  const sums = [child.stdout, child.stderr].map((stream) => {
    const hash = createHash('sha256')
    let bytes = 0
    stream?.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
      hash.update(chunk)
    })
    return () => `${bytes}:${hash.digest('hex').slice(0, 12)}`
  })
  const { exitCode } = await child
  return `${exitCode} ${sums.map((sum) => sum()).join(' ')}`
}

interface Reader {
  readonly name: string
  readonly shell: string
  readonly expected: string
}

const LINES = 200_000
const JOB = `python3 -c "import sys; [print('line', i) for i in range(${LINES})]; sys.exit(3)"`

/** Whoever reads us may be gone, or full, or slow: the job goes on and everything is on record. */
const READERS: readonly Reader[] = [
  { name: 'stdout closed', shell: `cronwrap --job r -- ${JOB} >&-; echo $?`, expected: '3\n' },
  { name: 'stdout is full', shell: `cronwrap --job r -- ${JOB} >/dev/full; echo $?`, expected: '3\n' },
  {
    name: 'the reader leaves',
    shell: `cronwrap --job r -- ${JOB} | head -1; echo \${PIPESTATUS[0]}`,
    expected: 'line 0\n3\n',
  },
  {
    name: 'the reader is slow',
    shell: `cronwrap --job r -- ${JOB} | python3 -c "
import sys, time
read = 0
while chunk := sys.stdin.buffer.read1(4096):
    read += len(chunk)
    time.sleep(0.001)
print(read)"; echo \${PIPESTATUS[0]}`,
    expected: `${Array.from({ length: LINES }, (_, index) => `line ${index}\n`).join('').length}\n3\n`,
  },
]

async function reads({ shell, expected }: Reader): Promise<string[]> {
  await using rig = createRig()
  const { stdout, stderr }: Finished = await rig.shell(shell)
  const [run] = rig.runs()
  const logged = rig.log('r').includes(`line ${LINES - 1}\n--- STDERR`)
  return [
    ...(stdout === expected && stderr === '' ? [] : [`${stdout.slice(0, 100)} ${stderr}`]),
    ...(run?.exit_code === 3 && logged ? [] : ['it is not on record']),
  ]
}

export const OUTPUT_SCENARIOS: readonly Scenario[] = [
  {
    name: 'output passes through and is kept, byte for byte',
    run: (): Promise<Outcome> => eachCase(OUTPUTS, 2, ({ name }) => name, passesThrough),
  },
  { name: 'readers that close, fill up, leave or dawdle', run: () => eachCase(READERS, 2, ({ name }) => name, reads) },
]
