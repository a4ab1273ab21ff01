import fs from 'fs-extra'
import { standIn as standInForOpenclaw, type StandIn } from '../openclaw/stand-in.ts'
import { BIN, type Rig } from '../support/rig.ts'

const CRONTAB = `#!/bin/sh
if [ -e "$HOME/crontab-broken" ]; then echo "crontab: cannot open your crontab" >&2; exit 1; fi
if [ ! -e "$HOME/crontab" ]; then echo "no crontab for $(id -un)" >&2; exit 1; fi
cat "$HOME/crontab"
`

/**
 * A `systemctl` that answers from files, as that of systemd 252 does: of the properties that are asked for those
 * that have a value, a list one value a line, an empty line between two units.
 */
const SYSTEMCTL = `#!/bin/sh
printf '%s\\n' "$*" >> "$HOME/systemctl-calls"
manager=system names= units= isUnit=
for word; do
  if [ -n "$isUnit" ]; then units="$units $word"; continue; fi
  case "$word" in
    --user) manager=user ;;
    --property=*) names="$names|\${word#--property=}" ;;
    --) isUnit=1 ;;
  esac
done
directory="$HOME/systemd/$manager"
if [ -e "$directory/broken" ]; then echo "Failed to list timers: Connection timed out" >&2; exit 1; fi
if [ ! -d "$directory" ]; then
  echo "System has not been booted with systemd as init system (PID 1). Can't operate." >&2
  echo "Failed to connect to bus: Host is down" >&2
  exit 1
fi
case "$*" in
  *show-environment*) cat "$directory/environment" 2>/dev/null ;;
  *list-timers*) cat "$directory/timers.json" ;;
  *" show "*)
    first=1
    for unit in $units; do
      [ -n "$first" ] || echo
      first=
      grep -E "^(\${names#|})=" "$directory/$unit"
    done ;;
esac
exit 0
`

export interface Timer {
  readonly name: string
  /** `OnCalendar=*-*-* 09:00:00`, `OnUnitActiveUSec=30min`, … */
  readonly times: readonly string[]
  /** The words of ExecStart, without quotes. */
  readonly command: string
  /** More properties of the timer, or of its service. */
  readonly more?: readonly string[]
}

export interface Schedulers {
  readonly openclaw: StandIn
  /** The lines come after one that names the rig's base directory: cron does not know what the rig exports. */
  readonly setCrontab: (...lines: readonly string[]) => void
  readonly setTimers: (manager: 'system' | 'user', timers: readonly Timer[]) => void
}

/** Stand-ins for crontab(1), systemctl and openclaw on the rig's PATH; the built program is `cronwrap` there. */
export function standInForSchedulers(rig: Rig): Schedulers {
  const openclaw = standInForOpenclaw(rig, BIN)
  rig.write('bin/crontab', CRONTAB)
  rig.write('bin/systemctl', SYSTEMCTL)
  return {
    openclaw,
    setCrontab: (...lines) => void rig.write('crontab', `CRONWRAP_HOME=${rig.home.base}\n${lines.join('\n')}\n`),
    setTimers: (manager, timers) => {
      const directory = `systemd/${manager}`
      fs.emptyDirSync(rig.path(directory))
      const list = timers.map(({ name }) => ({
        next: 1_795_510_800_000_000,
        left: 1_795_510_800_000_000,
        last: 0,
        passed: 0,
        unit: `${name}.timer`,
        activates: `${name}.service`,
      }))
      rig.write(`${directory}/timers.json`, JSON.stringify(list))
      for (const timer of timers) writeUnits(rig, directory, timer)
    },
  }
}

function writeUnits(rig: Rig, directory: string, { name, times, command, more = [] }: Timer): void {
  const settings = times.map((each) => {
    const kind = each.startsWith('OnCalendar') ? 'TimersCalendar' : 'TimersMonotonic'
    return `${kind}={ ${each} ; next_elapse=Wed 2026-11-25 09:00:00 UTC }`
  })
  const state = more.some((each) => each.startsWith('ActiveState=')) ? [] : ['ActiveState=active']
  const timer = [`Unit=${name}.service`, ...settings, 'Id=%.timer', ...state, 'AccuracyUSec=1min', ...more]
  const [program = ''] = command.split(' ')
  const start = `{ path=${program} ; argv[]=${command} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }`
  const service = ['Type=oneshot', `ExecStart=${start}`, 'Id=%.service', ...more]
  const text = (lines: readonly string[]): string => `${lines.join('\n').replace('=%.', `=${name}.`)}\n`
  rig.write(`${directory}/${name}.timer`, text(timer))
  rig.write(`${directory}/${name}.service`, text(service))
}
