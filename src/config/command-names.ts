/** Words that are ours as the first one; `cronwrap -- status` runs a program of that name. */
export const COMMAND_NAMES: readonly string[] = [
  'run',
  'delivery',
  'status',
  'check',
  'notify',
  'summary',
  'alerts',
  'logs',
  'runs',
  'record',
  'metrics',
  'repair',
  'state',
  'doctor',
  'openclaw',
  'help',
]
