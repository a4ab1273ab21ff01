import { homedir } from 'node:os'
import { expect, test } from 'vitest'
import { mainCommandOf } from '../../src/invocation/shell-line.ts'
import { readShellLine } from '../../src/invocation/started-command.ts'
import { cronEnvironmentOf, readEnvironmentFile } from '../../src/invocation/user-environment.ts'
import { createRig } from '../support/rig.ts'

/** The job and, where there is more to say, its base directory, its condition and the sleep before it; or what is unclear. */
function read(line: string): string {
  const env = { HOME: '/home/me', PART: 'part' }
  const started = readShellLine(line, env, (user) => ({ HOME: `/home/${user ?? 'me'}` }))
  const { wrapped, unnamed, isConditional, delayMs } = started
  if (wrapped === null) return unnamed ?? 'nothing'
  const base = wrapped.base.replace('/.local/state/cronwrap', '')
  const sleep = delayMs === null ? ['sleeps'] : delayMs === 0 ? [] : [`${delayMs / 1000}s`]
  return [wrapped.job, ...(base === '/home/me' ? [] : [base]), ...(isConditional ? ['perhaps'] : []), ...sleep].join(
    ' ',
  )
}

const JOB = 'cronwrap --job a -- true'

test.each([
  `cd /srv && ${JOB}`,
  `cd /srv || exit 1; ${JOB}`,
  `cd /srv || { echo "no /srv"; exit 1; }; ${JOB}`,
  `. ./env && ${JOB}`,
  `source env; ${JOB}`,
  `export A=b; ${JOB}`,
  `A=b; ${JOB}`,
  `umask 077; ulimit -n 99 && ${JOB}`,
  `set -e; cd /srv; ${JOB}`,
  `exec >>/log 2>&1; ${JOB}`,
  `test -x /x; ${JOB}`,
  `test -x /x && true; ${JOB}`,
  `${JOB} && test -x /x`,
  `if ! ${JOB}; then mail me; fi`,
  `echo x | ${JOB} 2>&1 | tee /log`,
  `(${JOB})`,
  `( cd /srv; umask 077 ) && ${JOB}`,
  `{ cd /srv && ${JOB}; } >/log 2>&1`,
  `(exit 1); ${JOB}`,
  `bash -c '${JOB}'`,
  `/bin/bash -lc 'cd /srv; ${JOB}'`,
  `/usr/bin/env FOO=1 bash --login -c "cd '/my srv' && ${JOB}"`,
  `timeout 5m sh -c '${JOB}' # test -x /x && no`,
  `# no job\n${JOB}`,
  `JOB=a; cronwrap --job "$JOB" -- true`,
  `sleep 0; nohup ${JOB} &`,
  `sleep 60 & ${JOB}`,
])('it runs each time: %s', (line) => {
  expect(read(line)).toBe('a')
})

test.each([
  `[ "$(date +%d)" = 01 ] && ${JOB}`,
  `[ "$(date "+%d")" = 01 ] && cd /srv && ${JOB}`,
  `test -x /x && ${JOB}`,
  `test -x /x && (cd /srv; ${JOB})`,
  `test -x /x && { umask 077; ${JOB}; }`,
  `test -x /x && bash -c '${JOB}'`,
  `bash -lc 'test -x /x && ${JOB}'`,
  `if [ -x /x ]; then ${JOB}; fi`,
  `if [ -x /x ]; then true; else ${JOB}; fi`,
  `case $(date +%d) in 01) ${JOB};; esac`,
  `for x in 1 2; do ${JOB}; done`,
  `while read x; do ${JOB}; done`,
  `pgrep x || ${JOB}`,
  `cd /srv || ${JOB}`,
  `! pgrep x && ${JOB}`,
  `pgrep x > /dev/null 2>&1 || ${JOB}`,
  `test -x /x || exit 0; ${JOB}`,
  `if test -x /x; then exit 0; fi; ${JOB}`,
  `set -e; test -x /x; ${JOB}`,
  `(cd /srv; test -x /x) && ${JOB}`,
  `X=$(pgrep x) && ${JOB}`,
  `date | grep -q Mon && ${JOB}`,
  `mkdir /run/lock.d && ${JOB}`,
])('it runs under a condition: %s', (line) => {
  expect(read(line)).toBe('a perhaps')
})

test.each([
  [`sleep 700; ${JOB}`, 'a 700s'],
  [`sleep 5m && ${JOB}`, 'a 300s'],
  [`/bin/sleep 1.5h 30s; sleep 2; ${JOB}`, 'a 5432s'],
  [`sleep 7; bash -c 'sleep 3; ${JOB}'`, 'a 10s'],
  [`${JOB}; sleep 7`, 'a'],
  [`sleep $((RANDOM % 60)); ${JOB}`, 'a sleeps'],
  [`sleep $(shuf -i 1-60 -n 1) && sleep 1 && ${JOB}`, 'a sleeps'],
  ['sleep `shuf -i 1-60 -n 1`; ' + JOB, 'a sleeps'],
])('what it sleeps: %s', (line, expected) => {
  expect(read(line)).toBe(expected)
})

test.each([
  [`export CRONWRAP_HOME="$HOME/x"; ${JOB}`, 'a /home/me/x'],
  [`CRONWRAP_HOME=/x; ${JOB}`, 'a'],
  [`CRONWRAP_HOME=/x; export CRONWRAP_HOME; ${JOB}`, 'a /x'],
  [`CRONWRAP_HOME=/x bash -c '${JOB}'`, 'a /x'],
  ['cronwrap --home ${HOME}/y --job "$PART" -- true', 'part /home/me/y'],
  [`sudo -u bob ${JOB}`, 'a /home/bob'],
  [`/usr/bin/sudo -n --user=bob -g staff -- nice -n 5 ${JOB}`, 'a /home/bob'],
  [`sudo ${JOB}`, 'a /home/root'],
  [`CRONWRAP_HOME=/x sudo ${JOB}`, 'a /home/root'],
  [`sudo CRONWRAP_HOME=/x ${JOB}`, 'a /x'],
  [`sudo -E ${JOB}`, 'a'],
  [`sudo -iu bob bash -c 'cd && ${JOB}'`, 'a /home/bob'],
  ['cronwrap -- "$HOME/x.sh" 2>&1', 'x'],
  ['cronwrap -- $DIRECTORY/x.sh', 'x'],
])('where it records: %s', (line, expected) => {
  expect(read(line)).toBe(expected)
})

test.each([
  ['cronwrap --job "$X" -- true', '"$X" cannot name a job'],
  ['cronwrap -- $SCRIPT', '$SCRIPT is known to the shell only'],
  ['cronwrap --home "$BASE" --job a -- true', expect.stringMatching(/\$BASE is known to the shell only$/)],
  ['cronwrap --hme /x --job a -- true', 'unknown option --hme'],
  ['su bob -c "cronwrap --job a -- true"', 'another program starts it'],
  [`/srv/run.sh -c '${JOB}'`, 'another program starts it'],
  ['bash /opt/cronwrap', 'another program starts it'],
  ['X=$(cronwrap --job a -- true)', 'another program starts it'],
  [`echo "it's; cronwrap -- x`, 'the line uses more of a shell than cronwrap reads'],
  ['cronwrap status', 'nothing'],
  ['cronwrap --version', 'nothing'],
  ['cronwrap --job a --help', 'nothing'],
  ['EMPTY=; cronwrap $EMPTY --job a -- true', '$EMPTY is known to the shell only'],
  ['OPTS="--job b --timeout 5m"; cronwrap $OPTS -- true', '$OPTS is known to the shell only'],
  ['sudo cronwrap --home /x check', 'nothing'],
  ['/srv/cronwrap-jobs/x.sh', 'nothing'],
  ['python3 /srv/cronwrap/x.py "', 'nothing'],
])('what cannot be told: %s', (line, expected) => {
  expect(read(line)).toEqual(expected)
})

test.each([
  ['cd /srv && ./backup.sh', './backup.sh'],
  ['. /etc/profile; A=b nice -n 10 python3 /srv/x.py --all >/log', 'python3 /srv/x.py --all'],
  ['exec /usr/bin/env X=y bash /srv/x.sh', 'bash /srv/x.sh'],
  ['exec >>/log 2>&1; test -x /x && /x', 'test -x /x'],
  ['cd /srv', undefined],
  ['it "is', undefined],
])('what the line is there for: %s', (line, expected) => {
  expect(mainCommandOf(line)?.join(' ')).toBe(expected)
})

test('cron gives a job its home and what is set for all of the machine', async () => {
  await using rig = createRig()
  const machine = rig.write('environment', 'HOME=/no\nCRONWRAP_HOME=/srv/runs\n')
  expect(cronEnvironmentOf(null, machine)).toEqual({ HOME: homedir(), CRONWRAP_HOME: '/srv/runs' })
  expect(cronEnvironmentOf('nobody there', machine)['HOME']).toBe('/home/nobody there')
  expect(cronEnvironmentOf(null, rig.path('nowhere'))).toEqual({ HOME: homedir() })
})

test('the lines of /etc/environment', () => {
  const text = '# CRONWRAP_HOME=/no\nCRONWRAP_HOME="/srv/runs"\n  export A=\'b c\' \nno line\nEMPTY=\n'
  expect(readEnvironmentFile(text)).toEqual({ CRONWRAP_HOME: '/srv/runs', A: 'b c', EMPTY: '' })
})
