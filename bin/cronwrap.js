#!/usr/bin/env node
// Starts dist/cli/main.cjs with what an earlier run of this user compiled of it: compiling is a fifth of a run's own time.
// Node's own compile cache keeps less, and there is none before Node 22.
const fs = require('node:fs')
const { createRequire, wrap } = require('node:module')
const { dirname, isAbsolute } = require('node:path')
const { Script } = require('node:vm')

const path = require.resolve('../dist/cli/main.cjs')
const source = fs.readFileSync(path, 'utf8')
// V8 takes whatever was compiled of a text of this length: the first line says which text it was.
const build = Buffer.from(source.slice(0, source.indexOf('\n') + 1))
const { HOME, NODE_OPTIONS, XDG_CACHE_HOME = '' } = process.env
// Where there is no home nothing is kept.
const base = [XDG_CACHE_HOME, `${HOME || '.'}/.cache`].find((each) => isAbsolute(each)) ?? '/dev/null'
const directory = `${base}/cronwrap`
const file = `${directory}/${process.version}-${process.arch}.compiled`

const MOST_BYTES = 16 * 1024 * 1024

const cachedData = readCompiled()
const script = new Script(wrap(source), { filename: path, ...(cachedData && { cachedData }) })
const isNew = cachedData === null || script.cachedDataRejected
// Only a run of a job has compiled what the next one needs; with options of its own V8 does so for itself alone.
const isUsual = process.argv.includes('--') && process.execArgv.length === 0 && !NODE_OPTIONS
if (isNew && isUsual) process.once('exit', writeCompiled)
const main = { exports: {} }
script.runInThisContext()(main.exports, createRequire(path), main, path, dirname(path))

/** Null where there is none, and for what is not certainly ours and whole: V8 looks at nothing of it, and might end Node. */
function readCompiled() {
  let fd
  try {
    if (!isOurs(fs.lstatSync(base)) || !isOurs(fs.lstatSync(directory))) return null
    // The file that was looked at is the one that is read: names may be changed meanwhile.
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    const stat = fs.fstatSync(fd)
    if (!stat.isFile() || !isOurs(stat) || stat.size > MOST_BYTES) return null
    const kept = fs.readFileSync(fd)
    const half = build.byteLength + (kept.byteLength - build.byteLength) / 2
    const [one, other] = [kept.subarray(build.byteLength, half), kept.subarray(half)]
    return build.equals(kept.subarray(0, build.byteLength)) && one.equals(other) ? one : null
  } catch {
    return null
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

/** Whether nobody else may write to it: sudo may keep the HOME of another user. */
function isOurs({ uid, mode }) {
  return uid === process.getuid() && (mode & 0o022) === 0
}

/** Twice, so that what is only half there, of two who write at once, or not what was written is seen. */
function writeCompiled() {
  const temporary = `${file}.new`
  try {
    // Not the home itself: some users have none.
    for (const each of [base, directory])
      if (!fs.existsSync(each) && isOurs(fs.lstatSync(dirname(each)))) fs.mkdirSync(each, { mode: 0o700 })
    if (!isOurs(fs.lstatSync(base)) || !isOurs(fs.lstatSync(directory))) return
    const compiled = script.createCachedData()
    const content = Buffer.concat([build, compiled, compiled])
    fs.rmSync(temporary, { force: true })
    fs.writeFileSync(temporary, content, { mode: 0o600, flag: 'wx', flush: true })
    fs.renameSync(temporary, file)
  } catch {
    leave(temporary)
  }
}

/** The next run compiles again. */
function leave(temporary) {
  try {
    fs.unlinkSync(temporary)
  } catch {
    // Not even begun.
  }
}
