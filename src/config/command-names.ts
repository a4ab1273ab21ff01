/** Words that are ours as the first one; `cronwrap -- status` runs a program of that name. */
export const COMMAND_NAMES: readonly string[] = [
  'run',
  'delivery',
  'status',
  'summary',
  'alerts',
  'logs',
  'runs',
  'record',
  'repair',
  'state',
  'schedule',
  'doctor',
  'openclaw',
  'help',
]
