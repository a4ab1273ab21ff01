import fs from 'fs-extra'
import { join } from 'node:path'
import { processesOf, until, type Rig } from '../support/rig.ts'

/**
 * What really happened, told by the jobs themselves: each writes to a list of its own, outside the
 * base directory, when it starts and when it has printed. The record is read with nothing of cronwrap but the names of its files.
 */
export class Oracle {
  readonly #rig: Rig
  readonly #list: string
  readonly #script: string
  /** Run ids whose wrapper came back by itself, and whether it told of trouble. */
  readonly #survived = new Map<string, { readonly warned: boolean }>()
  /** Run id to what its killed wrapper had put down. */
  readonly #known = new Map<string, Known>()

  constructor(rig: Rig) {
    this.#rig = rig
    this.#list = rig.write('oracle', '', 0o644)
    this.#script = rig.write(
      'job.sh',
      `echo "$CRONWRAP_RUN_ID $CRONWRAP_JOB_ID started $2 $4" >> "$1"
       case "$3" in @*) cat "\${3#@}" ;; *) printf '%s\\n' "$3" ;; esac
       echo "$CRONWRAP_RUN_ID $CRONWRAP_JOB_ID printed $2" >> "$1"
       exit "$2"`,
    )
  }

  /** The words of a run that prints the text, or the file of `@path`, and ends with the code; `key` is for `noteSurvival`. */
  words(job: string, text: string, code: number, key: string = job): string[] {
    return ['--job', job, '--', 'sh', this.#script, this.#list, String(code), text, key]
  }

  /** The same, but the job first waits for what the shell words wait for. */
  wordsAfter(wait: string, ...run: Parameters<Oracle['words']>): string[] {
    const words = this.words(...run)
    const start = words.indexOf('--') + 1
    return [...words.slice(0, start), 'sh', '-c', `${wait}; exec "$@"`, 'sh', ...words.slice(start)]
  }

  /** The runs that began, in the order in which they did. */
  started(): StartedRun[] {
    const lines = fs.readFileSync(this.#list, 'utf8').split('\n').filter(Boolean)
    const printed = new Set(lines.filter((line) => line.includes(' printed ')).map((line) => line.split(' ')[0]))
    return lines.flatMap((line) => {
      const [runId = '', job = '', what, code, key = ''] = line.split(' ')
      if (what !== 'started') return []
      const survival = this.#survived.get(runId)
      const known = this.#known.get(runId)
      const whole = (survival?.warned === false && printed.has(runId)) || known?.output === true
      const endKnown = survival !== undefined || known?.end === true
      return [{ runId, job, key, code: Number(code), endKnown, whole }]
    })
  }

  /** Call for runs whose wrapper returned: how they ended must be on record, and without a warning all they printed. */
  noteSurvival(key: string, warned = false): void {
    for (const run of this.started())
      if (run.key === key && !this.#survived.has(run.runId)) this.#survived.set(run.runId, { warned })
  }

  /** Call for runs whose wrapper was killed: what it had put down by then must be on record. */
  noteKnown(key: string, known: Known): void {
    for (const run of this.started()) if (run.key === key) this.#known.set(run.runId, known)
  }

  /** Until no process of the rig is left, whose output could still come. */
  async quiet(): Promise<void> {
    await until('everything has ended', () => processesOf(this.#rig.directory).length === 0)
  }

  /** Makes locks, spools and temporary files of the dead as old as they are two minutes later. */
  letTimePass(): void {
    const { logs, running } = this.#rig.home
    const then = new Date(Date.now() - 120_000)
    const age = (path: string): void => {
      if (fs.statSync(path).isDirectory()) for (const name of fs.readdirSync(path)) age(join(path, name))
      fs.utimesSync(path, then, then)
    }
    for (const name of fs.existsSync(logs) ? fs.readdirSync(logs) : []) {
      if (name.endsWith('.lock')) age(join(logs, name))
      // A temporary file has its time in its name.
      const older = name.replace(/\d{13}/, (made) => String(Number(made) - 120_000))
      if (name.endsWith('.tmp')) fs.renameSync(join(logs, name), join(logs, older))
    }
    for (const name of fs.existsSync(running) ? fs.readdirSync(running) : [])
      if (!['.pipes', '.overlap'].includes(name)) age(join(running, name))
  }

  /** What is missing, double or wrong on record; `text` is what each run printed. */
  compare(text: string): string[] {
    const record = readRecord(this.#rig)
    const problems = [...record.problems]
    for (const run of this.started()) problems.push(...compareRun(run, text, record))
    for (const [job, entry] of Object.entries(record.summary)) {
      if (JSON.stringify(entry) !== JSON.stringify(expectedEntry(job, record.runs)))
        problems.push(
          `the summary of ${job} is ${JSON.stringify(entry)}, not ${JSON.stringify(expectedEntry(job, record.runs))}`,
        )
    }
    for (const job of new Set(record.runs.map((run) => run.job)))
      if (record.summary[job] === undefined) problems.push(`${job} is not in the summary`)
    const alerts = Object.entries(record.summary)
      .filter(([, entry]) => entry.consecutive_errors >= 3)
      .map(([job, entry]) => `${job} ${entry.consecutive_errors}`)
      .sort()
    if (JSON.stringify(alerts) !== JSON.stringify(record.alerts))
      problems.push(`the alerts are ${JSON.stringify(record.alerts)}, not ${JSON.stringify(alerts)}`)
    return problems
  }
}

interface Known {
  readonly end: boolean
  readonly output: boolean
}

export interface StartedRun {
  readonly runId: string
  readonly job: string
  /** By which the test knows the run: the job, unless it said otherwise. */
  readonly key: string
  readonly code: number
  /** How it ended must be there. */
  readonly endKnown: boolean
  /** All of its output must be there. */
  readonly whole: boolean
}

interface RecordedRun {
  readonly run_id: string
  readonly job: string
  readonly status: string
  readonly reason: string
  readonly exit_code: number | null
}

interface Counts {
  readonly total_runs: number
  readonly total_errors: number
  readonly consecutive_success: number
  readonly consecutive_errors: number
  readonly last_run_id: string
}

interface Recorded {
  readonly runs: readonly RecordedRun[]
  readonly summary: Record<string, Counts>
  /** `job failures`, in order. */
  readonly alerts: readonly string[]
  /** Run id to what the log says it printed, in order of appearance. */
  readonly logged: ReadonlyMap<string, readonly string[]>
  readonly problems: readonly string[]
}

function readRecord(rig: Rig): Recorded {
  const problems: string[] = []
  const json = (path: string): unknown => {
    try {
      return fs.existsSync(path) ? JSON.parse(fs.readFileSync(path, 'utf8')) : null
    } catch (error) {
      problems.push(`${path} does not parse: ${String(error)}`)
      return null
    }
  }
  const logs = fs.existsSync(rig.home.logs) ? fs.readdirSync(rig.home.logs) : []
  for (const name of logs) if (/\.(?:tmp|lock)$/.test(name)) problems.push(`${name} is left`)
  const left = fs.existsSync(rig.home.running) ? fs.readdirSync(rig.home.running) : []
  for (const name of left) if (!['.pipes', '.overlap'].includes(name)) problems.push(`${name} is left in .running`)
  const summary = (json(rig.home.summary) ?? {}) as Record<string, Counts>
  const alerts = (json(rig.home.alerts) ?? []) as Array<{ job_id: string; kind: string; consecutive_errors: number }>
  return {
    runs: journalRuns(rig),
    summary: Object.fromEntries(
      Object.entries(summary).map(([job, entry]) => {
        const { total_runs, total_errors, consecutive_success, consecutive_errors, last_run_id } = entry
        return [job, { total_runs, total_errors, consecutive_success, consecutive_errors, last_run_id }]
      }),
    ),
    alerts: alerts
      .filter(({ kind }) => kind === 'consecutive_failures')
      .map((alert) => `${alert.job_id} ${alert.consecutive_errors}`)
      .sort(),
    logged: loggedOutput(rig),
    problems,
  }
}

/** Torn lines are allowed: each is the trace of an append that failed and was told. */
function journalRuns(rig: Rig): RecordedRun[] {
  if (!fs.existsSync(rig.home.logs)) return []
  const segments = fs.readdirSync(rig.home.logs).filter((name) => /^cron-journal\.\d+\.jsonl$/.test(name))
  return segments.sort().flatMap((name) =>
    fs
      .readFileSync(join(rig.home.logs, name), 'utf8')
      .split('\n')
      .flatMap((line) => {
        try {
          const event = JSON.parse(line) as RecordedRun & { type: string }
          return event.type === 'run.finished' ? [event] : []
        } catch {
          return []
        }
      }),
  )
}

function loggedOutput(rig: Rig): Map<string, string[]> {
  const logged = new Map<string, string[]>()
  const logs = fs.existsSync(rig.home.logs)
    ? fs.readdirSync(rig.home.logs).filter((name) => /\.log(\.\d+)?$/.test(name))
    : []
  for (const name of logs) {
    const text = fs.readFileSync(join(rig.home.logs, name), 'latin1')
    for (const [end, runId = ''] of text.matchAll(/^=== END (\S+) ===$/gm)) {
      // An entry that a full disk cut short may stand before it.
      const upTo = text.indexOf(end)
      const entry = text.slice(text.lastIndexOf(` run=${runId} ===\n`, upTo), upTo)
      const output = /^--- STDOUT \([^)]*\) ---\n([^]*?)^--- STDERR /m.exec(entry)?.[1] ?? ''
      logged.set(runId, [...(logged.get(runId) ?? []), output])
    }
  }
  return logged
}

function compareRun(run: StartedRun, text: string, { runs, logged }: Recorded): string[] {
  const name = `run ${run.runId} of ${run.job}`
  const events = runs.filter(({ run_id }) => run_id === run.runId)
  const [event] = events
  if (event === undefined) return [`${name} is not in the journal`]
  if (events.length > 1) return [`${name} is in the journal ${events.length} times`]
  const problems: string[] = []
  const ended = event.reason === 'exit' && event.exit_code === run.code
  const killed = ['lost', 'interrupted', 'signal'].includes(event.reason) && !run.endKnown
  if (!ended && !killed)
    problems.push(`${name} ended with ${run.code}; on record is ${event.reason} ${event.exit_code}`)
  const outputs = logged.get(run.runId) ?? []
  if (outputs.length !== 1) problems.push(`${name} is in the log ${outputs.length} times`)
  const whole = `${text}\n`
  const output = outputs[0] ?? ''
  const complete = run.whole ? output === whole : isPart(output, whole)
  if (!complete) problems.push(`${name} printed ${shown(whole)}, in the log is ${shown(output)}`)
  return problems
}

function shown(text: string): string {
  return JSON.stringify(text.length < 100 ? text : `${text.slice(0, 40)}…${text.slice(-60)}`)
}

/** What was kept of it: a beginning and, after the line that tells of a gap, an end. A word that was cut is hidden. */
function isPart(output: string, whole: string): boolean {
  const [head = '', tail = ''] = output.split(/^\[cronwrap: \d+ bytes left out\]\n/m)
  return whole.startsWith(head.replace(/\S*\n$/, '')) && whole.endsWith(tail)
}

/** The numbers of the summary, counted anew from the journal by the plainest means. */
function expectedEntry(job: string, all: readonly RecordedRun[]): Counts | undefined {
  const runs = all.filter((run) => run.job === job)
  const last = runs.at(-1)
  if (last === undefined) return undefined
  let streak = 0
  while (streak < runs.length && runs[runs.length - 1 - streak]?.status === last.status) streak += 1
  return {
    total_runs: runs.length,
    total_errors: runs.filter(({ status }) => status === 'error').length,
    consecutive_success: last.status === 'success' ? streak : 0,
    consecutive_errors: last.status === 'error' ? streak : 0,
    last_run_id: last.run_id,
  }
}
