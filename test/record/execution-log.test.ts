import * as fc from 'fast-check'
import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { LOG_MAX_BYTES } from '../../src/record/execution-log.ts'
import { readLogEntries } from '../../src/record/log-reader.ts'
import { keptOutput, readExtent, SpooledStream } from '../../src/record/spooled-stream.ts'
import { printable, quoteCommand } from '../../src/record/outcome-text.ts'
import { lastLines } from '../../src/cli/last-lines.ts'
import { createRig } from '../support/rig.ts'

test('a spool keeps all of a short stream, and head and tail of a long one, to the byte', async () => {
  await using rig = createRig()
  let serial = 0
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 }),
      fc.integer({ min: 0, max: 60 }),
      (chunks, maxBytes) => {
        const directory = rig.path(String(serial++))
        fs.mkdirSync(directory)
        const stream = new SpooledStream(directory, 1, 'stdout', maxBytes)
        for (const chunk of chunks) stream.write(Buffer.from(chunk))
        stream.close()
        const all = Buffer.concat(chunks)
        const kept = keptOutput(directory, 1, 'stdout', maxBytes)
        const head = Buffer.concat(kept.head.map(readExtent))
        const tail = Buffer.concat(kept.tail.map(readExtent))
        expect(stream.bytes).toBe(all.byteLength)
        expect(head.equals(all.subarray(0, head.byteLength))).toBe(true)
        expect(tail.equals(all.subarray(all.byteLength - tail.byteLength))).toBe(true)
        expect(head.byteLength + tail.byteLength).toBeLessThanOrEqual(maxBytes + 1)
        if (maxBytes > 0) expect(kept.totalBytes).toBe(all.byteLength)
        if (maxBytes > 0) expect(head.byteLength + kept.omittedBytes + tail.byteLength).toBe(all.byteLength)
        if (all.byteLength <= maxBytes) expect(kept.omittedBytes).toBe(0)
        fs.removeSync(directory)
      },
    ),
  )
})

test('38: a log is closed at its size, a fixed number is kept, and no entry is cut', async () => {
  await using rig = createRig()
  const script = 'head -c 3000000 /dev/zero | tr "\\0" "$0"; echo'
  for (let first = 0; first < 32; first += 4) {
    await Promise.all(
      [0, 1, 2, 3].map((index) => rig.run(['--job', 'big', '--', 'sh', '-c', script, String((first + index) % 10)])),
    )
    expect(readLogEntries(rig.home, 'big').length).toBeGreaterThan(0)
  }
  const logs = fs
    .readdirSync(rig.home.logs)
    .filter((name) => name.startsWith('big.log'))
    .sort()
  expect(logs).toEqual(['big.log', 'big.log.1', 'big.log.2', 'big.log.3', 'big.log.4', 'big.log.5'])
  // Four end at the same moment, and three may not have seen the last one's entry.
  const limit = LOG_MAX_BYTES + 3 * 3_000_400
  for (const name of logs) expect(fs.statSync(`${rig.home.logs}/${name}`).size).toBeLessThanOrEqual(limit)
  const entries = readLogEntries(rig.home, 'big')
  expect(entries.length).toBeGreaterThanOrEqual(15)
  for (const { sections } of entries) expect(sections.map(({ totalBytes }) => totalBytes)).toEqual([3_000_001, 0])
  expect(rig.summary()['big']?.total_runs).toBe(32)
})

test('an entry larger than a log becomes a log of its own', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'huge', '--', 'echo', 'small'])
  const size = 25_000_000
  await rig.run(['--job', 'huge', '--max-output', '40MiB', '--', 'sh', '-c', `head -c ${size} /dev/zero`])
  await rig.run(['--job', 'huge', '--', 'echo', 'after'])
  const sizes = readLogEntries(rig.home, 'huge').map(({ sections }) => sections[0]?.totalBytes)
  expect(sizes).toEqual([6, size, 6])
  expect(
    fs
      .readdirSync(rig.home.logs)
      .filter((name) => name.startsWith('huge.log'))
      .sort(),
  ).toEqual(['huge.log', 'huge.log.1', 'huge.log.2'])
})

test('entries are found behind text that is not ours and entries that were cut', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'mixed', '--', 'echo', 'one'])
  const path = `${rig.home.logs}/mixed.log`
  const entry = fs.readFileSync(path)
  fs.appendFileSync(path, 'an old line\n')
  fs.appendFileSync(path, entry.subarray(0, entry.byteLength - 30))
  await rig.run(['--job', 'mixed', '--', 'echo', 'two'])
  expect(readLogEntries(rig.home, 'mixed').map(({ command }) => command)).toEqual(['echo one', 'echo two'])
})

test('--max-output 0 keeps nothing and says how much there was', async () => {
  await using rig = createRig()
  const result = await rig.run(['--job', 'none', '--max-output', '0', '--', 'sh', '-c', 'echo hello'])
  expect(result.stdout).toBe('hello\n')
  expect(rig.log('none')).toContain('--- STDOUT (6 bytes: first 0 and last 0 kept) ---\n[cronwrap: 6 bytes left out]\n')
})

test('the last lines of several files are those that tail(1) prints', async () => {
  await using rig = createRig()
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', '\n', 'bb'), { maxLength: 30 }),
      fc.array(fc.constantFrom('c\n', 'd', '\n'), { maxLength: 30 }),
      fc.nat(12),
      (one, two, count) => {
        const first = one.length === 0 ? '' : `${one.join('')}\n`
        const paths = [rig.write('one', first), rig.write('two', two.join(''))]
        const lines = (first + two.join('')).split(/(?<=\n)/).filter((line) => line !== '')
        const expected = count === 0 ? '' : lines.slice(-count).join('')
        expect(Buffer.concat(lastLines(paths, count).map(readExtent)).toString()).toBe(expected)
      },
    ),
  )
})

test('a command is shown as a shell would read it, and text without what terminals act on', async () => {
  await using rig = createRig()
  const words = [
    'printf',
    '%s|',
    'plain',
    'a b',
    "it's",
    '$HOME',
    'new\nline',
    'tab\t',
    'back\\slash',
    '',
    '喝水',
    '\u001b[31m',
  ]
  const { stdout } = await rig.spawn('bash', ['-c', quoteCommand(words)])
  expect(Buffer.from(stdout).toString()).toBe(`${words.slice(2).join('|')}|`)
  expect(printable('\u001b[1;31mred\u001b[0m \u001b]0;t\u0007x\r\ny\u0000')).toBe('red x  y ')
})
