import * as fs from 'node:fs'
import { basename, isAbsolute, resolve } from 'node:path'
import { formatDuration } from '../platform/duration.ts'
import { LEAST_TIMEOUT_SECONDS } from './add-job.ts'
import { edit, editCommand } from './lint-fix.ts'
import { effectiveTimeoutSeconds, type OpenclawJob } from './openclaw-job.ts'
import { mainCommandOf } from '../invocation/shell-line.ts'
import { shellLine } from '../invocation/shell-words.ts'
import { findWrapped, readJobCommand } from './job-command.ts'

export interface LintFinding {
  /** What was seen, in this job. */
  readonly seen: string
  /** Why that is a problem. */
  readonly why: string
  /** The command that mends it; what only you know stands in angle brackets. */
  readonly fix: string
}

export interface Rule {
  /** Never changes: people silence rules by it. */
  readonly id: string
  readonly severity: 'error' | 'warning'
  readonly check: (job: OpenclawJob, context: LintContext) => LintFinding | null
}

export interface LintContext {
  /** Channels for which some job names an account. */
  readonly channelsWithAccounts: ReadonlySet<string>
  /** The jobs are those of this machine, so their files must be here. */
  readonly isLocal: boolean
}

const LONG_LINE = 120
const INLINE = /\b(?:python[\d.]*|node|perl|ruby|php)\s+-[ce]\b/

const runsSomething = ({ payload }: OpenclawJob): boolean => payload === 'command' || payload === 'agentTurn'

function rule(id: string, severity: Rule['severity'], check: Rule['check']): Rule {
  return { id, severity, check }
}

/** The original framework's rules, and what running against the real OpenClaw taught. */
export const RULES: readonly Rule[] = [
  rule('delivery-channel', 'error', (job) => {
    const { mode, channel } = job.delivery
    if (mode !== 'announce' || (channel !== null && channel !== 'last')) return null
    return {
      seen: channel === null ? 'delivery.channel is missing' : 'delivery.channel is "last"',
      why: 'the message goes to whatever chat was used last, or nowhere',
      fix: edit(job, '--channel', '<channel>'),
    }
  }),
  rule('delivery-to', 'error', (job) => {
    if (job.delivery.mode !== 'announce' || job.delivery.to !== null) return null
    const why = 'without a recipient the message may reach nobody'
    return { seen: 'delivery.to is missing', why, fix: edit(job, '--to', '<chat id>') }
  }),
  rule('delivery-account', 'warning', (job, { channelsWithAccounts }) => {
    const { mode, channel, accountId } = job.delivery
    if (mode !== 'announce' || accountId !== null || channel === null || !channelsWithAccounts.has(channel)) return null
    return {
      seen: `delivery.accountId is missing, and other jobs name one for ${channel}`,
      why: 'with several accounts the wrong one may send it',
      fix: edit(job, '--account', '<account id>'),
    }
  }),
  rule('timeout-short', 'error', (job) => {
    const { timeoutSeconds } = job
    if (!runsSomething(job) || timeoutSeconds === null || timeoutSeconds === 0) return null
    if (timeoutSeconds >= LEAST_TIMEOUT_SECONDS) return null
    return {
      seen: `timeoutSeconds is ${timeoutSeconds}`,
      why: `jobs that wait for a model or a network need ${LEAST_TIMEOUT_SECONDS} or more`,
      fix: edit(job, '--timeout-seconds', String(LEAST_TIMEOUT_SECONDS)),
    }
  }),
  rule('inline-logic', 'error', (job) => {
    const seen = inlineLogic(job)
    if (seen === null) return null
    const why = 'logic in a job cannot be tested, logged or reused; one job is one script'
    return { seen, why, fix: editCommand(job, '<the script>') }
  }),
  rule('not-wrapped', 'warning', (job) => {
    const { wrapped, unnamed } = readJobCommand(job)
    if (wrapped !== null || unnamed !== null || !runsCommand(job)) return null
    return {
      seen: 'the command does not run under cronwrap',
      why: 'its exit code, output and delivery are on no record but what OpenClaw keeps for a week',
      fix: editCommand(job),
    }
  }),
  rule('login-shell', 'warning', (job) => {
    const shell = job.argv.slice(0, -1).join(' ')
    if (job.payload !== 'command' || shellLine(job.argv) === null || !/-[a-z]*l/.test(shell)) return null
    const why = 'a login shell resets PATH on Debian and others, whatever the job sets: programs are not found'
    return { seen: `it runs as ${shell}`, why, fix: editCommand(job) }
  }),
  rule('best-effort', 'warning', (job) => {
    if (!job.delivery.bestEffort || job.delivery.mode !== 'announce') return null
    const why = 'a message that could not be sent counts as success'
    return { seen: 'delivery.bestEffort is on', why, fix: edit(job, '--no-best-effort-deliver') }
  }),
  rule('no-failure-route', 'warning', (job) => {
    if (job.hasFailureRoute || !runsSomething(job)) return null
    return {
      seen: 'no alert, no failure destination and no chat to announce to',
      why: 'it can fail for weeks and nobody hears of it',
      fix: edit(job, '--failure-alert', '--failure-alert-channel', '<channel>', '--failure-alert-to', '<chat id>'),
    }
  }),
  rule('own-timeout', 'error', (job) => {
    const wrapped = findWrapped(job)
    const limit = effectiveTimeoutSeconds(job)
    if (wrapped === null || limit === null) return null
    const { longestMs } = wrapped
    if (longestMs !== null && longestMs < limit * 1000) return null
    const own =
      longestMs === null
        ? 'cronwrap has no --timeout'
        : `with --kill-after and retries cronwrap may take ${formatDuration(longestMs)}`
    return {
      seen: `${own}, OpenClaw ends it after ${formatDuration(limit * 1000)}`,
      why: 'when OpenClaw ends a job its output is lost and nothing is sent',
      fix: editCommand(job),
    }
  }),
  rule('hidden-errors', 'warning', (job) => {
    const text = job.payload === 'command' ? (shellLine(job.argv) ?? '') : job.message
    const hiding = /\|\|\s*(?:true|:)(?=[\s"'`;)]|$)|2>\s*\/dev\/null/.exec(text)?.[0]
    if (hiding === undefined || !runsSomething(job)) return null
    const why = 'the exit code or the error it hides is what tells that something is wrong'
    return { seen: `it runs with ${hiding}`, why, fix: edit(job, '--command-argv', `<the command without ${hiding}>`) }
  }),
  rule('auto-disabled', 'error', (job) => {
    if (job.autoDisabled === null) return null
    const why = 'OpenClaw stopped it after failures, and the plain list no longer shows it'
    return { seen: `disabled by OpenClaw: ${job.autoDisabled}`, why, fix: edit(job, '--enable') }
  }),
  rule('failure-notice', 'warning', (job) => {
    if (job.failureNotice !== 'not-delivered' && job.failureNotice !== 'unknown') return null
    const why = 'the alert about its last failure may not have arrived either'
    return {
      seen: `the last failure notice: ${job.failureNotice}`,
      why,
      fix: edit(job, '--failure-alert-to', '<chat id>'),
    }
  }),
  rule('script-missing', 'error', (job, { isLocal }) => {
    const missing = isLocal ? missingScript(job) : null
    if (missing === null) return null
    const why = 'the job cannot run'
    return { seen: `${missing} does not exist`, why, fix: editCommand(job, '<the script>') }
  }),
]

function inlineLogic(job: OpenclawJob): string | null {
  if (job.payload === 'command') {
    const shell = shellLine(job.argv)
    const line = shell ?? job.argv.join(' ')
    if (INLINE.test(line)) return `it holds code: ${INLINE.exec(line)?.[0] ?? ''} …`
    const isScript = shell !== null && (shell.length > LONG_LINE || /\n|;|&&|\|\|/.test(shell))
    return isScript ? `it is a shell script of ${shell.length} characters` : null
  }
  if (job.payload !== 'agentTurn') return null
  if (INLINE.test(job.message)) return `the message holds code: ${INLINE.exec(job.message)?.[0] ?? ''} …`
  return /^```(?:python|py|js|javascript|ts|bash|sh)\b/m.test(job.message) ? 'the message holds a block of code' : null
}

const SCRIPT = /\.(?:py|sh|js|mjs|cjs|ts|rb|pl|php)$/
const INTERPRETER = /^(?:python|node|bash|sh|tsx|ruby|perl|php|bun|deno)[\d.]*$/

/** A message that only talks needs no wrapper. */
export function runsCommand({ payload, message }: OpenclawJob): boolean {
  if (payload !== 'agentTurn') return payload === 'command'
  const words = message.split(/[\s`'"]+/)
  return words.some(
    (word, index) => SCRIPT.test(word) || (INTERPRETER.test(word) && (words[index + 1] ?? '').includes('/')),
  )
}

/** The script that is the program, or that an interpreter is given; what a shell would expand is left alone. */
function missingScript(job: OpenclawJob): string | null {
  const line = shellLine(job.argv)
  const [program = '', first] = findWrapped(job)?.command ?? (line === null ? job.argv : mainCommandOf(line)) ?? []
  const script = INTERPRETER.test(basename(program)) ? first : program
  if (job.payload !== 'command' || script === undefined || !SCRIPT.test(script) || /[$~*]/.test(script)) return null
  const isMoved = /\b(?:cd|pushd)\s/.test(line ?? '')
  if (!isAbsolute(script) && (job.cwd === null || isMoved)) return null
  const path = resolve(job.cwd ?? '/', script)
  return fs.existsSync(path) ? null : path
}
