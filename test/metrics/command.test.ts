import fs from 'fs-extra'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { EMPTY_ENTRY } from '../../src/record/summary-entry.ts'
import { formatSummary } from '../../src/record/summary.ts'
import { runTraced, straceUnavailable } from '../faults/trace.ts'
import { createRig, until, type Rig } from '../support/rig.ts'
import { readSamples } from './reading.ts'

async function metricsOf(rig: Rig): Promise<string> {
  const result = await rig.run(['metrics'])
  expect(result).toMatchObject({ code: 0, stderr: '' })
  return result.stdoutBytes.toString()
}

test('says what happened: runs, a failure, a delivery, a run in progress', async () => {
  await using rig = createRig()
  await rig.run(['--job', '喝水提醒', '--', 'sh', '-c', 'sleep 0.1'])
  await rig.run(['delivery', '喝水提醒', '1'])
  await rig.run(['delivery', '喝水提醒', '2', 'failed'])
  for (let round = 0; round < 3; round++) await rig.run(['--job', 'backup', '--', 'sh', '-c', 'exit 3'])
  await rig.run(['--job', 'digest', '--expect-delivery', '--delivery-grace', '0', '--', 'true'])
  const going = rig.start(['--job', 'going', '--', 'sleep', '60'])
  await until('it runs', () => rig.running().length === 1)
  const text = await metricsOf(rig)
  const { backup, 喝水提醒: water } = rig.summary()
  expect(readSamples(text)).toMatchObject({
    'last_status 喝水提醒': 1,
    'last_exit_code 喝水提醒': 0,
    'last_success_timestamp_seconds 喝水提醒': Date.parse(water?.last_run ?? '') / 1000,
    'last_duration_seconds 喝水提醒': (water?.last_duration_ms ?? 0) / 1000,
    'last_max_memory_bytes 喝水提醒': water?.last_max_memory_bytes,
    'deliveries_total 喝水提醒 sent': 1,
    'deliveries_total 喝水提醒 failed': 1,
    'alerts_open 喝水提醒 delivery_failed': 1,
    'running 喝水提醒': 0,
    'last_status backup': 0,
    'last_exit_code backup': 3,
    'last_finish_timestamp_seconds backup': Date.parse(backup?.last_finished ?? '') / 1000,
    'errors_total backup': 3,
    'consecutive_errors backup': 3,
    'alerts_open backup consecutive_failures': 1,
    'delivery_awaited digest': 1,
    'alerts_open digest undelivered': 1,
    'running going': 1,
    'runs_total going': 0,
  })
  expect(text).toContain(`,host="${hostname()}",home="${rig.home.base}"} 1\n`)
  expect(readSamples(text)).not.toHaveProperty('last_success_timestamp_seconds backup')
  going.kill('SIGKILL')
  await until('its wrapper is gone', () => going.exitCode !== null || going.signalCode !== null)
  // Swept first, so that a run that was lost is no longer in progress.
  expect(readSamples(await metricsOf(rig))).toMatchObject({ 'running going': 0, 'errors_total going': 1 })
})

test('what was missed is counted, whoever looks first', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'often', '--schedule', '* * * * * *', '--grace', '0', '--', 'true'])
  await until('a run is missed', () => Date.now() > Date.parse(rig.summary()['often']?.last_finished ?? '') + 2_500)
  expect(readSamples(await metricsOf(rig))['alerts_open often missed']).toBe(1)
})

test('without a record it says who asks, and makes nothing', async () => {
  await using rig = createRig()
  expect(await metricsOf(rig)).toMatch(/^# HELP cronwrap_info .*\n# TYPE .*\ncronwrap_info\{.*\n# EOF\n$/)
  expect(fs.existsSync(rig.home.base)).toBe(false)
})

test('--out prints nothing; others may read the file, whatever the umask, and it keeps the mode it has', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'backup', '--', 'true'])
  fs.mkdirSync(rig.path('out'))
  rig.write('out/.cronwrap.prom.1.1000.0.tmp', 'left by a writer that was killed')
  rig.write('out/.other.prom.1.1000.0.tmp', 'of somebody else')
  const write = 'umask 077; cronwrap metrics --out out/cronwrap.prom'
  expect(await rig.shell(write)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  const file = rig.path('out/cronwrap.prom')
  const mode = (): string => (fs.statSync(file).mode & 0o7777).toString(8)
  expect(fs.readdirSync(rig.path('out'))).toEqual(['.other.prom.1.1000.0.tmp', 'cronwrap.prom'])
  expect(fs.readFileSync(file, 'utf8')).toBe(await metricsOf(rig))
  expect(mode()).toBe('644')
  fs.chmodSync(file, 0o640)
  await rig.run(['--job', 'backup', '--', 'true'])
  expect(await rig.shell(write)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect(readSamples(fs.readFileSync(file, 'utf8'))).toMatchObject({ 'runs_total backup': 2 })
  expect(mode()).toBe('640')
})

test.each(['missing/cronwrap.prom', 'directory', 'link', 'file/cronwrap.prom'])('--out %s is refused', async (out) => {
  await using rig = createRig()
  fs.mkdirSync(rig.path('directory'))
  rig.write('file', 'mine')
  fs.symlinkSync('file', rig.path('link'))
  const { code, stdout, stderr } = await rig.run(['metrics', '--out', out])
  expect({ code, stdout }).toEqual({ code: 125, stdout: '' })
  expect(stderr).toMatch(/^cronwrap: the metrics cannot be written to "[^\n]+\n {2}hint: [^\n]+\n$/)
  expect(stderr).toContain(`"${out}"`)
  expect(fs.readFileSync(rig.path('link'), 'utf8')).toBe('mine')
  expect(fs.readdirSync(rig.directory).sort()).toEqual(['directory', 'file', 'link'])
})

test('a reader in a loop never sees a part of the file', async () => {
  await using rig = createRig()
  const jobs = Array.from({ length: 300 }, (_, index) => [`job-${index}`, EMPTY_ENTRY] as const)
  fs.outputFileSync(rig.home.summary, formatSummary(new Map(jobs)))
  const file = rig.path('cronwrap.prom')
  await rig.run(['metrics', '--out', file])
  const writer = (): Promise<unknown> => rig.shell('for i in 1 2 3; do cronwrap metrics --out cronwrap.prom; done')
  let writing = true
  const writers = Promise.all([writer(), writer()]).finally(() => (writing = false))
  const seen = new Set<bigint>()
  while (writing) {
    const text = fs.readFileSync(file, 'latin1')
    expect(text.endsWith('\n# EOF\n')).toBe(true)
    seen.add(fs.statSync(file, { bigint: true }).mtimeNs)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await writers
  expect(seen.size).toBeGreaterThan(3)
})

test.skipIf(straceUnavailable() !== null)('who is overtaken while writing does not have the last word', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'backup', '--', 'true'])
  const write = ['metrics', '--out', rig.path('cronwrap.prom')]
  const slow = runTraced(rig, write, { inject: 'rename:delay_enter=3000000:when=1', watch: 'rename' })
  await until('it is about to rename', () =>
    fs
      .readdirSync(rig.directory)
      .some((name) => name.endsWith('.tmp') && fs.readFileSync(rig.path(name), 'utf8').endsWith('EOF\n')),
  )
  await rig.run(['--job', 'backup', '--', 'true'])
  await rig.run(write)
  const runs = (): number | undefined =>
    readSamples(fs.readFileSync(rig.path('cronwrap.prom'), 'utf8'))['runs_total backup']
  expect(runs()).toBe(2)
  expect((await slow).calls.length).toBeGreaterThan(1)
  expect(runs()).toBe(2)
})
