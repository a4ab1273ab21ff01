import type { Home } from '../config/base-directory.ts'
import { resolveRunOptions } from '../config/resolve-run-options.ts'
import type { Finding } from './finding.ts'

/** What each run would warn of: a setting that is misspelt or cannot be used, in cronwrap.json or the environment. */
export function checkConfig(home: Home, jobs: readonly string[], env: NodeJS.ProcessEnv): Finding[] {
  const names = jobs.length === 0 ? ['job'] : jobs
  const warnings = names.flatMap((job) => resolveRunOptions(new Map([['job', job]]), [], env, home).warnings)
  return [...new Set(warnings)].map((seen) => ({
    id: 'config-invalid',
    severity: 'warning',
    job: null,
    seen,
    means: 'each run warns of it, and the default counts instead',
    next: `mend ${home.config}`,
  }))
}
