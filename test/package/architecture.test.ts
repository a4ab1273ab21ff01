import { build } from 'esbuild'
import fs from 'fs-extra'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'

const ROOT = join(import.meta.dirname, '../..')
const SOURCES = join(ROOT, 'src')

/** Each layer may use itself and those after it. */
const LAYERS = [
  'cli',
  'doctor',
  'check',
  'notify',
  'metrics',
  'schedule',
  'openclaw',
  'invocation',
  'job',
  'state',
  'record',
  'config',
  'platform',
]

function sourceFiles(directory: string): string[] {
  return fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? sourceFiles(path) : entry.name.endsWith('.ts') ? path : []
  })
}

const FILES = sourceFiles(SOURCES).map((path) => ({
  path: relative(SOURCES, path),
  text: fs.readFileSync(path, 'utf8'),
}))

function imports(text: string): string[] {
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].flatMap(([, name]) => name ?? [])
}

test('imports point down', () => {
  const wrong = FILES.flatMap(({ path, text }) => {
    const layer = LAYERS.indexOf(path.split('/')[0] ?? '')
    return imports(text)
      .filter((name) => name.startsWith('.'))
      .map((name) => join(dirname(path), name))
      .filter((target) => layer !== -1 && target.includes('/') && LAYERS.indexOf(target.split('/')[0] ?? '') < layer)
      .map((target) => `${path} imports ${target}`)
  })
  expect(wrong).toEqual([])
})

test('one file starts jobs, one file locks with proper-lockfile', () => {
  const importers = (pattern: RegExp): string[] =>
    FILES.filter(({ text }) => pattern.test(text)).map(({ path }) => path)
  expect(importers(/'proper-lockfile'/)).toEqual(['platform/file-lock.ts'])
  expect(importers(/\bspawn\(/)).toEqual(['job/child.ts'])
  expect(importers(/process\.exit\(/)).toEqual(['cli/commands.ts', 'cli/main.ts'])
})

test('no file is long', () => {
  expect(FILES.filter(({ text }) => text.split('\n').length > 300).map(({ path }) => path)).toEqual([])
})

test('what a run imports before its job starts holds no package but uuid, ms and our own code', async () => {
  const { metafile } = await build({
    entryPoints: [join(SOURCES, 'cli/main.ts')],
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    outdir: join(ROOT, 'dist/none'),
    write: false,
    metafile: true,
  })
  const main = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint === 'src/cli/main.ts')
  const chunks = (main?.imports ?? [])
    .filter(({ kind }) => kind === 'import-statement')
    .map(({ path }) => metafile.outputs[path])
  const inputs = [main, ...chunks].flatMap((output) => Object.keys(output?.inputs ?? {}))
  const packages = new Set(inputs.flatMap((path) => /node_modules\/([^/]+)/.exec(path)?.[1] ?? []))
  expect([...packages].sort()).toEqual(['ms', 'uuid'])
  expect(inputs).toContain('src/job/run-job.ts')
  expect(inputs.filter((path) => path.includes('cli/commands'))).toEqual([])
})

test('a run loads no module of Node that it does not need', async () => {
  await using rig = createRig()
  const probe = rig.write(
    'probe.cjs',
    `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(rig.path('loaded'))}, process.moduleLoadList.join('\\n')))`,
  )
  await rig.runWith({ NODE_OPTIONS: `--require ${probe}` }, ['--', 'true'])
  const loaded = fs.readFileSync(rig.path('loaded'), 'utf8').split('\n')
  for (const name of ['assert', 'perf_hooks', 'crypto', 'http', 'timers/promises', 'readline', 'worker_threads']) {
    expect(loaded, name).not.toContain(`NativeModule ${name}`)
  }
})
