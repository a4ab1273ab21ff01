import type { Home } from '../config/base-directory.ts'
import { readConfigFile } from '../config/config-file.ts'
import { settingPath } from '../config/setting-path.ts'
import { isObject } from '../platform/field.ts'

export interface MetricsConfig {
  /** Where the metrics are written after each run; null is nowhere. A relative path begins in the base directory. */
  readonly out: string | null
  /** What is wrong with the section, in one sentence each. */
  readonly problems: readonly string[]
}

/** The `metrics` section of cronwrap.json: `{"out": "<file>"}`. */
export function readMetricsConfig({ base, config }: Home): MetricsConfig {
  const section = readConfigFile(config, []).root['metrics']
  if (section === undefined) return { out: null, problems: [] }
  const out = isObject(section) && Object.keys(section).every((key) => key === 'out') ? section['out'] : undefined
  if (typeof out !== 'string' || out === '') {
    return { out: null, problems: [`${config}: metrics is not {"out": "<file>"}; no metrics are written`] }
  }
  return { out: settingPath(base, out), problems: [] }
}
