import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { newRunId } from '../../src/platform/run-id.ts'
import type { JobEvent } from '../../src/record/event.ts'
import { appendEvent, rotateJournal } from '../../src/record/journal.ts'
import { projectSummary, readHistory, seeLimit } from '../../src/record/journal-reader.ts'
import { createSegment, listSegments, segmentPath } from '../../src/record/journal-segment.ts'
import { foldIntoViews, publish } from '../../src/record/publish.ts'
import { readSummaryFile, type Summary } from '../../src/record/summary.ts'
import { createRig, type Rig } from '../support/rig.ts'

function skipped(job = 'a'): JobEvent {
  return { type: 'run.skipped', id: newRunId(), time: new Date().toISOString(), job, running_run_id: 'x' }
}

function rigWithLogs(): Rig {
  const rig = createRig()
  fs.ensureDirSync(rig.home.logs)
  return rig
}

function onDisk(rig: Rig): Summary {
  const file = readSummaryFile(rig.home.summary)
  return file.kind === 'valid' ? file.summary : new Map()
}

const count = (summary: Summary, job = 'a'): number => summary.get(job)?.skipped_runs ?? 0

test('events go on in the next segment, totals survive the pruning of old ones', async () => {
  await using rig = rigWithLogs()
  for (let round = 0; round < 12; round++) {
    for (let index = 0; index < 3; index++) await publish(rig.home, skipped())
    rotateJournal(rig.home, onDisk(rig), 0)
  }
  expect(listSegments(rig.home).map(({ sequence }) => sequence)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13])
  expect(fs.statSync(rig.home.journal).ino).toBe(fs.statSync(segmentPath(rig.home, 13)).ino)
  await publish(rig.home, skipped())
  expect(count(onDisk(rig))).toBe(37)
  fs.removeSync(rig.home.summary)
  await foldIntoViews(rig.home)
  expect(count(onDisk(rig))).toBe(37)
  expect(readHistory(rig.home).events).toHaveLength(25)
})

test('a writer that finds the journal rotated under it writes again, and its event counts once', async () => {
  await using rig = rigWithLogs()
  await publish(rig.home, skipped('before'))
  const late = {
    ...skipped(),
    type: 'delivery',
    run_id: 'r',
    message_id: '1',
    status: 'sent',
    channel: null,
    error: null,
  } as const
  // The old segment gets the event after the new one was opened, as from a writer that was stopped in between.
  rotateJournal(rig.home, onDisk(rig), 0)
  fs.removeSync(rig.home.journal)
  fs.linkSync(segmentPath(rig.home, 1), rig.home.journal)
  appendEvent(rig.home, late)
  expect(fs.readFileSync(segmentPath(rig.home, 1), 'utf8')).toContain(late.id)
  expect(fs.readFileSync(segmentPath(rig.home, 2), 'utf8')).toContain(late.id)
  await foldIntoViews(rig.home)
  expect(onDisk(rig).get('a')?.deliveries_sent).toBe(1)
  fs.removeSync(rig.home.summary)
  expect(projectSummary(rig.home, null, seeLimit).summary.get('a')?.deliveries_sent).toBe(1)
  expect(readHistory(rig.home).events.filter(({ event }) => event.id === late.id)).toHaveLength(1)
})

test('a rotation that was killed half way is finished by the next, and nothing counts twice', async () => {
  await using rig = rigWithLogs()
  for (let index = 0; index < 3; index++) await publish(rig.home, skipped())
  // As after a kill between making the segment and leading the well-known name to it.
  createSegment(rig.home, 2, listSegments(rig.home)[0]?.id ?? null, onDisk(rig), newRunId())
  for (let index = 0; index < 30; index++) await publish(rig.home, skipped())
  expect(count(onDisk(rig))).toBe(33)
  await rig.run(['repair'])
  expect(count(onDisk(rig))).toBe(33)
  rotateJournal(rig.home, onDisk(rig), 0)
  expect(fs.statSync(rig.home.journal).ino).toBe(fs.statSync(segmentPath(rig.home, 3)).ino)
})

test('events that many writers append while the journal is rotated under them count once each', async () => {
  await using rig = rigWithLogs()
  await publish(rig.home, skipped())
  // The successor is there, but nobody has said yet how much of the old segment counts.
  const before = onDisk(rig)
  const acknowledged = Array.from({ length: 30 }, () => skipped())
  for (const event of acknowledged) appendEvent(rig.home, event)
  createSegment(rig.home, 2, listSegments(rig.home)[0]?.id ?? null, before, newRunId())
  const late = Array.from({ length: 30 }, () => skipped())
  for (const event of late) appendEvent(rig.home, event)
  await foldIntoViews(rig.home)
  expect(count(onDisk(rig))).toBe(61)
  expect(readHistory(rig.home).events).toHaveLength(61)
  fs.removeSync(rig.home.summary)
  await foldIntoViews(rig.home)
  expect(count(onDisk(rig))).toBe(61)
})

test('a summary that is larger than a segment does not rotate the journal with each run', async () => {
  await using rig = rigWithLogs()
  for (let index = 0; index < 40; index++) await publish(rig.home, skipped(`job-${index}`))
  rotateJournal(rig.home, onDisk(rig), 0)
  for (let index = 0; index < 5; index++) {
    await publish(rig.home, skipped())
    rotateJournal(rig.home, onDisk(rig), 4000)
  }
  expect(listSegments(rig.home)).toHaveLength(2)
})

test('a torn line is ended by the next writer and passed over by readers, wherever it was cut', async () => {
  await using rig = rigWithLogs()
  const torn = JSON.stringify(skipped())
  for (let length = 1; length < torn.length; length += 7) {
    fs.appendFileSync(rig.home.journal, torn.slice(0, length))
    await publish(rig.home, skipped())
  }
  expect(count(onDisk(rig))).toBe(Math.ceil((torn.length - 1) / 7))
})

test('what is being written is not read before it is whole', async () => {
  await using rig = rigWithLogs()
  await publish(rig.home, skipped())
  const line = `${JSON.stringify(skipped())}\n`
  fs.appendFileSync(rig.home.journal, line.slice(0, 50))
  await foldIntoViews(rig.home)
  expect(count(onDisk(rig))).toBe(1)
  fs.appendFileSync(rig.home.journal, line.slice(50))
  await foldIntoViews(rig.home)
  expect(count(onDisk(rig))).toBe(2)
})

test("a summary of the original's is where the totals begin", async () => {
  await using rig = rigWithLogs()
  const entry = {
    last_run: '2026-05-26T12:00:10+08:00',
    last_status: 'error',
    consecutive_success: 0,
    consecutive_errors: 2,
    total_runs: 40,
    total_errors: 5,
  }
  fs.writeJsonSync(rig.home.summary, { old: entry })
  await rig.run(['--job', 'old', '--', 'false'])
  expect(rig.summary()['old']).toMatchObject({ total_runs: 41, total_errors: 6, consecutive_errors: 3 })
  expect(rig.alerts()).toMatchObject([{ job_id: 'old', message: '3 consecutive failures' }])
  fs.removeSync(rig.home.summary)
  await rig.run(['repair'])
  expect(rig.summary()['old']).toMatchObject({ total_runs: 41 })
})

test('a journal that was deleted begins again from the summary', async () => {
  await using rig = rigWithLogs()
  for (let index = 0; index < 3; index++) await publish(rig.home, skipped())
  for (const segment of listSegments(rig.home)) fs.removeSync(segment.path)
  fs.removeSync(rig.home.journal)
  await publish(rig.home, skipped())
  expect(count(onDisk(rig))).toBe(4)
})

test('a journal that was replaced by another is folded from its beginning, and the old summary kept aside', async () => {
  await using rig = rigWithLogs()
  await using other = rigWithLogs()
  for (let index = 0; index < 9; index++) await publish(rig.home, skipped())
  for (let index = 0; index < 2; index++) await publish(other.home, skipped())
  fs.removeSync(rig.home.journal)
  fs.copySync(other.home.journal, rig.home.journal)
  await publish(rig.home, skipped())
  expect(count(onDisk(rig))).toBe(3)
  expect(fs.readdirSync(rig.home.logs).some((name) => name.startsWith('cron-summary.json.corrupt-'))).toBe(true)
})

test('a journal cut at any byte costs what was cut and no more', async () => {
  await using rig = rigWithLogs()
  for (let index = 0; index < 3; index++) await publish(rig.home, skipped())
  const whole = fs.readFileSync(rig.home.journal)
  for (let length = 0; length < whole.byteLength; length += 13) {
    fs.truncateSync(rig.home.journal, length)
    await publish(rig.home, skipped('b'))
    const left = whole
      .subarray(0, length)
      .toString()
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.includes('"run.skipped"')).length
    const summary = onDisk(rig)
    expect(count(summary, 'b'), `cut at ${length}`).toBe(1)
    // A cut that takes only the newline leaves an event that the next writer's newline ends.
    expect([left, left + 1], `cut at ${length}`).toContain(count(summary, 'a'))
    fs.truncateSync(rig.home.journal, 0)
    fs.writeFileSync(rig.home.journal, whole)
  }
})

test.each(['directory', 'dangling symlink', 'FIFO'])(
  'a %s in the place of the journal is said, and does not hang',
  async (kind) => {
    await using rig = rigWithLogs()
    if (kind === 'directory') fs.mkdirSync(rig.home.journal)
    else if (kind === 'FIFO') await rig.spawn('mkfifo', [rig.home.journal])
    else fs.symlinkSync('/nowhere/at/all', rig.home.journal)
    const result = await rig.run(['--', 'sh', '-c', 'echo out; exit 3'])
    expect(result).toMatchObject({ code: 3, stdout: 'out\n' })
    expect(result.stderr).toMatch(/^cronwrap: the run is not in the journal: [^\n]+\n$/)
    expect(rig.log('sh')).toContain('out\n')
  },
)
