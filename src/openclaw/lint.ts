import type { OpenclawJob } from './openclaw-job.ts'
import { RULES, type LintFinding, type Rule } from './lint-rules.ts'

export interface JobFinding extends LintFinding, Pick<Rule, 'severity'> {
  readonly rule: string
  readonly job: string
  readonly id: string
}

/** Each job against each rule, in the order of the jobs. */
export function lintJobs(jobs: readonly OpenclawJob[], options: { readonly isLocal: boolean }): JobFinding[] {
  const channelsWithAccounts = new Set(
    jobs.flatMap(({ delivery: { channel, accountId } }) => (channel !== null && accountId !== null ? [channel] : [])),
  )
  return jobs.flatMap((job) =>
    // Of a job that somebody disabled nothing else matters.
    RULES.filter(({ id }) => job.enabled || id === 'auto-disabled').flatMap(({ id, severity, check }) => {
      const finding = check(job, { ...options, channelsWithAccounts })
      return finding === null ? [] : [{ rule: id, severity, job: job.name, id: job.id, ...finding }]
    }),
  )
}
