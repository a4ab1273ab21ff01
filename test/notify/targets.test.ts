import { homeAt } from '../../src/config/base-directory.ts'
import { send } from '../../src/notify/send.ts'
import { sampleMessage } from '../../src/notify/message.ts'
import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { readNotifyConfig } from '../../src/notify/notify-config.ts'
import { createRig, processesOf, until, type Rig } from '../support/rig.ts'
import { WebhookServer } from '../support/webhook-server.ts'

/** Programs of ours before those of the machine. */
function withPrograms(rig: Rig, programs: Record<string, string>): NodeJS.ProcessEnv {
  for (const [name, script] of Object.entries(programs)) rig.write(`bin/${name}`, `#!/bin/sh\n${script}\n`)
  return { PATH: `${rig.path('bin')}:${process.env['PATH'] ?? ''}` }
}

function configure(rig: Rig, targets: object): void {
  fs.outputJsonSync(rig.home.config, { notify: { targets } })
}

test('a command gets the alert as JSON and in its environment, a mail goes to sendmail, a chat to openclaw', async () => {
  await using rig = createRig()
  const env = withPrograms(rig, {
    pager: 'cat > "$HOME/alert.json"; env | grep ^CRONWRAP_ | sort > "$HOME/alert.env"; echo "$*" > "$HOME/alert.args"',
    sendmail: 'echo "$*" > "$HOME/mail.args"; cat > "$HOME/mail"',
    openclaw: `for word; do echo "$word"; done > "$HOME/openclaw"; echo '{"ok":true,"messageId":"77"}'`,
  })
  configure(rig, {
    pager: { type: 'command', command: ['pager', '-u', 'two words'] },
    root: { type: 'mail', to: ['root', 'Olaf Öz <o@example.org>'] },
    chat: { type: 'openclaw', channel: 'telegram', to: '-1001', account: 'ops' },
  })
  for (let run = 0; run < 3; run++) {
    const ran = await rig.runWith(env, ['--job', '备份', '--', 'sh', '-c', 'echo 磁盘已满 >&2; exit 4'])
    expect([ran.code, ran.stdout, Buffer.from(ran.stderr, 'latin1').toString()]).toEqual([4, '', '磁盘已满\n'])
  }
  const alert = fs.readJsonSync(rig.path('alert.json')) as Record<string, unknown>
  const { run_id } = rig.runs().at(-1) ?? {}
  expect(alert).toMatchObject({
    event: 'opened',
    job: '备份',
    severity: 'critical',
    count: 3,
    last_error: '磁盘已满',
    run_id,
  })
  expect(fs.readFileSync(rig.path('alert.args'), 'utf8')).toBe('-u two words\n')
  const variables = fs.readFileSync(rig.path('alert.env'), 'utf8')
  expect(variables).toContain('CRONWRAP_ALERT_JOB=备份\n')
  expect(variables).toContain('CRONWRAP_ALERT_TITLE=备份: 3 consecutive failures\n')
  expect(variables).not.toMatch(/CRONWRAP_(RUN|JOB)_ID/)

  expect(fs.readFileSync(rig.path('mail.args'), 'utf8')).toBe('-i -t\n')
  const mail = fs.readFileSync(rig.path('mail'), 'utf8')
  expect(mail).toMatch(/^To: root, =\?UTF-8\?B\?\S+\?= <o@example.org>$/m)
  const subject = /^Subject: ((?:=\?UTF-8\?B\?\S+\?=\s+)+)Date/m.exec(mail)?.[1] ?? ''
  const decoded = subject.replaceAll(/=\?UTF-8\?B\?(\S+)\?=\s+/g, (_, base64: string) =>
    Buffer.from(base64, 'base64').toString(),
  )
  expect(decoded).toBe('[cronwrap critical] 备份: 3 consecutive failures')
  expect(mail).toContain('\n\n备份: 3 consecutive failures\n\nlast error: 磁盘已满\n')

  const words = fs.readFileSync(rig.path('openclaw'), 'utf8')
  expect(words).toMatch(
    /^message\nsend\n--channel\ntelegram\n--target\n-1001\n--message\n备份: 3 consecutive failures\n/,
  )
  expect(words).toMatch(/--account\nops\n$/)
})

test('notify test shows what came back; targets and what waits are listed', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  const env = withPrograms(rig, { good: 'echo fine', bad: 'echo no paper >&2; exit 3', stuck: 'sleep 60 & sleep 60' })
  fs.outputJsonSync(rig.home.config, {
    notify: {
      timeout: '400ms',
      targets: {
        good: { type: 'command', command: 'good' },
        bad: { type: 'command', command: ['bad'] },
        stuck: { type: 'command', command: ['stuck'] },
        none: { type: 'command', command: ['no-such-program'] },
        hook: { type: 'webhook', url: server.url, template: 'slack' },
      },
    },
  })
  server.answer = 'thanks'
  const { code, stdout } = await rig.runWith(env, ['notify', 'test'])
  expect(code).toBe(1)
  expect(stdout.split('\n')).toEqual([
    'good: sent, exit 0 fine',
    'bad: failed, bad: exit 3 no paper',
    'stuck: failed, stuck did not end within 0.4s',
    'none: failed, no-such-program cannot be run: ENOENT',
    'hook: sent, HTTP 200 thanks',
    '',
  ])
  expect(await rig.runWith(env, ['notify', 'test', 'good'])).toMatchObject({
    code: 0,
    stdout: 'good: sent, exit 0 fine\n',
  })
  const unknown = await rig.runWith(env, ['notify', 'test', 'goood'])
  expect(unknown).toMatchObject({ code: 125, stderr: expect.stringContaining('there is no target "goood"') as string })
  const list = await rig.runWith(env, ['notify'])
  expect(list.stdout).toMatch(/^good \(command\)\n[^]*hook \(webhook\)\nnothing waits to be sent\n$/)
  rig.write('base/cronwrap.json', '{"notify": {"targets": }')
  const broken = await rig.runWith(env, ['notify', 'test'])
  expect(broken.stderr).toContain('cannot be used and is ignored')
  // A test is no fact.
  expect(rig.events()).toEqual([])
})

test('33: a notification server that never answers delays no start, changes nothing, and is tried again later', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  server.mood = 'hang'
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1 },
    notify: { timeout: '500ms', targets: { hook: { type: 'webhook', url: server.url } } },
  })
  const before = Date.now()
  const ran = await rig.run(['--job', 'job', '--', 'sh', '-c', 'date +%s%3N; exit 3'])
  const took = Date.now() - before
  expect(ran).toMatchObject({ code: 3, stderr: '' })
  expect(Number(ran.stdout) - before).toBeLessThan(400)
  expect(took).toBeLessThan(2000)
  expect(server.received).toHaveLength(1)
  const waiting = await rig.run(['notify', '--json'])
  expect(JSON.parse(waiting.stdout)).toMatchObject({
    waiting: [{ job: 'job', target: 'hook', attempts: 1, error: 'no answer within 0.5s' }],
  })
})

test.each(['SIGTERM', 'SIGQUIT', 'SIGUSR1'] as const)(
  '%s while somebody is told leaves the exit code',
  async (signal) => {
    await using rig = createRig()
    await using server = await WebhookServer.start()
    server.mood = 'hang'
    fs.outputJsonSync(rig.home.config, {
      defaults: { alert_after: 1 },
      notify: { timeout: signal === 'SIGUSR1' ? '1s' : '50s', targets: { hook: { type: 'webhook', url: server.url } } },
    })
    const stopped = rig.start(['--job', 'other', '--', 'sh', '-c', 'exit 4'])
    await until('the message is on its way', () => server.received.length > 0)
    stopped.kill(signal)
    expect((await stopped).exitCode).toBe(4)
  },
)

test('who is told: of a job, by default, nobody; what cannot be used is said', async () => {
  await using rig = createRig()
  rig.write('base/url', 'https://example.org/secret\n')
  fs.outputJsonSync(rig.home.config, {
    defaults: { notify: ['a', 'c'] },
    jobs: { one: { notify: 'b' }, none: { notify: [] }, odd: { notify: ['a', 'zzz'] } },
    notify: {
      cooldown: '1h',
      expires: 5,
      colour: 'red',
      targets: {
        a: { type: 'command', command: 'a' },
        b: { type: 'webhook', url_file: rig.path('base/url') },
        c: { type: 'webhook', url: 'ftp://x' },
        d: { type: 'pigeon' },
        e: { type: 'webhook', url: 'https://x', template: 'telegram' },
        f: { type: 'mail', to: 'root', subject: 'x' },
        g: { type: 'slack', url: 'https://x' },
        h: { type: 'command', command: '/x/page --oncall' },
        i: { type: 'mail', timeout: '5s' },
        j: { type: 'mail' },
        k: { type: 'webhook', url_file: 'url' },
      },
    },
  })
  const { targetsOf, targets, cooldownMs, expiresMs, problems } = readNotifyConfig(rig.home.config)
  expect([targetsOf('one'), targetsOf('none'), targetsOf('odd'), targetsOf('any')]).toEqual([
    ['b'],
    [],
    ['a'],
    ['a', 'c'],
  ])
  expect(targets.get('b')).toMatchObject({ url: 'https://example.org/secret' })
  expect(targets.get('k')).toMatchObject({ url: 'https://example.org/secret' })
  expect([cooldownMs, expiresMs]).toEqual([3_600_000, 86_400_000])
  const said = problems.join('\n')
  for (const part of [
    '"colour"',
    'notify.expires',
    '"c" cannot be used',
    '"d" cannot be used: its type "pigeon" is none of',
    'its type "slack" is none of command, webhook, openclaw, mail; write "type": "webhook", "template": "slack"',
    '"command" is one text; write each word by itself: ["/x/page","--oncall"]',
    '"timeout" stands under "notify"',
    '"j" cannot be used: "to" is missing',
    'notify.expires: "5" is not a duration; 1d counts',
    '"zzz"',
  ])
    expect(said).toContain(part)
  expect(said).toContain('"e" cannot be used: telegram needs a chat_id')
  expect(said).toContain('"f" cannot be used: a mail has no "subject"')
  const checked = await rig.run(['check'])
  expect(checked).toMatchObject({ code: 1, stdout: expect.stringContaining('the target "d" cannot be used') as string })
  expect((await rig.run(['check', '--quiet'])).stdout.split('\n')).toContainEqual(
    expect.stringContaining('the target "d" cannot be used'),
  )
  // A job does not hear of it: its output is forwarded to a person.
  expect(await rig.run(['--', 'true'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

test.each([
  [
    { template: 'slack', secret: 'x' },
    'a webhook with the template slack has no "secret"; it has url, url_file, template, headers',
  ],
  [{ template: 'ntfy', secret_file: '/nowhere' }, 'a webhook with the template ntfy has no "secret_file"'],
  [{ template: 'telegram', chat_id: 1, secret: 'x' }, 'a webhook with the template telegram has no "secret"'],
  [{ chat_id: 1 }, 'a webhook with the template json has no "chat_id"'],
  [{ url_file: '/nowhere' }, 'it has both "url" and "url_file"; leave one of them out'],
  [{ secret: 'x', secret_file: '/nowhere' }, 'it has both "secret" and "secret_file"; leave one of them out'],
  [{ secret: 'x' }, null],
  [{ template: 'feishu', secret: 'x' }, null],
  [{ template: 'dingtalk', secret: 'x' }, null],
  [{ template: 'telegram', chat_id: 1 }, null],
])('no setting of a webhook is ignored: %o', async (settings, problem) => {
  await using rig = createRig()
  configure(rig, { hook: { type: 'webhook', url: 'https://example.org/x', ...settings } })
  const { problems } = readNotifyConfig(rig.home.config)
  expect(problems).toEqual(problem === null ? [] : [expect.stringContaining(problem)])
})

test('a command counts by its exit code, whatever it leaves behind; at its time limit all of it is killed', async () => {
  await using rig = createRig()
  const leaves = ['sh', '-c', 'sleep 61 & exit 0']
  const floods = ['sh', '-c', 'yes | head -c 50000000; echo the end >&2']
  const hangs = ['sh', '-c', 'sleep 62 & sleep 62']
  fs.outputJsonSync(rig.home.config, {
    notify: {
      timeout: '5s',
      targets: {
        leaves: { type: 'command', command: leaves },
        floods: { type: 'command', command: floods },
      },
    },
  })
  const { code, stdout } = await rig.run(['notify', 'test'])
  expect([code, stdout]).toEqual([0, 'leaves: sent, exit 0\nfloods: sent, exit 0 the end\n'])
  fs.outputJsonSync(rig.home.config, {
    notify: { timeout: '300ms', targets: { hangs: { type: 'command', command: hangs } } },
  })
  expect((await rig.run(['notify', 'test'])).stdout).toBe('hangs: failed, sh did not end within 0.3s\n')
  await until(
    'nothing of it is left',
    () => processesOf(rig.directory).filter((pid) => commandOf(pid).includes('62')).length === 0,
  )
})

test.each([
  [`echo '{"error":{"message":"bot was blocked"}}'; exit 1`, 'bot was blocked'],
  [`echo '{"ok":false,"error":{"message":"no gateway"}}'; echo a notice >&2; exit 1`, 'no gateway'],
  [`echo '{"messageId":"77"}'; echo the gateway closed >&2; exit 3`, 'the gateway closed'],
  [`echo '{"messageId":"77"}'; exit 3`, 'openclaw message send: exit 3'],
  [`echo '{"messageId":"77"}'; kill -9 $$`, 'openclaw message send: SIGKILL'],
])('what an openclaw that fails prints is no message sent: %s', async (script, problem) => {
  await using rig = createRig()
  const env = withPrograms(rig, { openclaw: script })
  configure(rig, { chat: { type: 'openclaw', channel: 'telegram', to: '-1001' } })
  expect((await rig.runWith(env, ['notify', 'test'])).stdout).toBe(`chat: failed, ${problem}\n`)
})

test('a chat and a mail keep to the time limit, whatever their programs start', async () => {
  await using rig = createRig()
  // The second sleep leaves the group, and holds the output still.
  const hangs = 'sleep 64 & setsid sleep 65 & sleep 64'
  const env = withPrograms(rig, { openclaw: hangs, sendmail: hangs })
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1 },
    notify: {
      timeout: '300ms',
      targets: { chat: { type: 'openclaw', channel: 'telegram', to: '-1001' }, root: { type: 'mail', to: 'root' } },
    },
  })
  const startedAt = Date.now()
  expect(await rig.runWith(env, ['--job', 'job', '--', 'sh', '-c', 'exit 4'])).toMatchObject({ code: 4, stderr: '' })
  expect(Date.now() - startedAt).toBeLessThan(4_000)
  await until(
    'nothing of their groups is left',
    () => processesOf(rig.directory).filter((pid) => commandOf(pid).includes('64')).length === 0,
  )
  const { stdout } = await rig.runWith(env, ['notify', 'test', 'chat'])
  expect(stdout).toBe('chat: failed, openclaw message send did not end within 0.3s\n')
})

test('a command that ends within its time has told, though what it left behind holds its output beyond', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, {
    notify: {
      timeout: '800ms',
      targets: { list: { type: 'command', command: ['sh', '-c', 'sleep 66 & sleep 0.35'] } },
    },
  })
  expect((await rig.run(['notify', 'test'])).stdout).toBe('list: sent, exit 0\n')
  expect(processesOf(rig.directory).some((pid) => commandOf(pid).includes('66'))).toBe(true)
})

function commandOf(pid: number): string {
  return fs.existsSync(`/proc/${pid}/cmdline`) ? fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''
}

test('an answer without end is not read to its end; a user in the address becomes a header and stays out of the record', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  server.mood = 'endless'
  const url = server.url.replace('http://', 'http://me:hunter2@')
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1 },
    notify: { timeout: '5s', targets: { hook: { type: 'webhook', url } } },
  })
  const before = Date.now()
  expect(await rig.run(['--job', 'job', '--', 'false'])).toMatchObject({ code: 1, stdout: '', stderr: '' })
  expect(Date.now() - before).toBeLessThan(4000)
  expect(server.received[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:hunter2').toString('base64')}`)
  await server.goAway()
  await rig.run(['--job', 'job', '--', 'true'])
  const events = rig.events().filter((event) => event.type === 'notification.outcome')
  expect(events.map(({ outcome, error }) => [outcome, error])).toEqual([
    ['sent', null],
    ['failed', 'no connection: ECONNREFUSED'],
  ])
  expect(fs.readFileSync(rig.home.journal, 'utf8')).not.toContain('hunter2')
})

test('an answer that nobody handles, and a redirect, are failures that pass', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1 },
    notify: { timeout: '5s', targets: { hook: { type: 'webhook', url: server.url } } },
  })
  for (const mood of ['upgrade', 'redirect'] as const) {
    server.mood = mood
    const job = ['--job', mood, '--', 'sh', '-c', 'exit 4']
    expect(await rig.run(job)).toMatchObject({ code: 4, stdout: '', stderr: '' })
    expect(await rig.run(['--ping', server.url, ...job])).toMatchObject({ code: 4, stdout: '' })
    const tested = await rig.run(['notify', 'test'])
    expect(tested).toMatchObject({ code: 1, stdout: expect.stringMatching(/^hook: failed, /) as string })
  }
  expect(JSON.parse((await rig.run(['notify', '--json'])).stdout)).toMatchObject({
    waiting: [{ job: 'upgrade' }, { job: 'redirect' }],
  })
})

test.each(['SIGTERM', 'SIGINT'] as const)(
  'a check that is told to end by %s leaves no command behind',
  async (signal) => {
    await using rig = createRig()
    const command = ['sh', '-c', 'echo $$ > "$HOME/began"; sleep 63']
    fs.outputJsonSync(rig.home.config, {
      defaults: { alert_after: 1 },
      notify: { targets: { list: { type: 'command', command } } },
    })
    await rig.runWith({ HOME: '/nowhere' }, ['--job', 'job', '--', 'true'])
    const config = fs.readFileSync(rig.home.config)
    fs.outputJsonSync(rig.home.config, {})
    await rig.run(['--job', 'job', '--', 'false'])
    fs.writeFileSync(rig.home.config, config)
    // The job's own wrapper did not know of targets yet.
    await rig.run(['record', 'job', '--status', 'error', '--duration-ms', '1'], {
      env: { ...rig.env, CRONWRAP_RUN_ID: 'x', CRONWRAP_ALERT_AFTER: '1' },
    })
    const checked = rig.start(['check'])
    await until('the command runs', () => fs.readFileSync(rig.path('began'), 'utf8').endsWith('\n'))
    checked.kill(signal)
    expect((await checked).exitCode).toBe(signal === 'SIGTERM' ? 143 : 130)
    await until('nothing is left', () => processesOf(rig.directory).length === 0)
  },
)

test('what failed to reach targets is over once there are none', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1 },
    notify: { expires: '0', targets: { gone: { type: 'command', command: ['false'] } } },
  })
  await rig.run(['--job', 'job', '--', 'false'])
  await rig.run(['check'])
  expect(rig.alerts().map(({ kind }) => kind)).toContain('notification_failed')
  fs.outputJsonSync(rig.home.config, {})
  await rig.run(['--job', 'job', '--', 'true'])
  expect(await rig.run(['check'])).toMatchObject({ code: 0 })
})

test('a command hears of an error with a NUL in it', async () => {
  const message = { ...sampleMessage(homeAt('/srv'), 'id', '2026-11-24T09:00:00Z'), last_error: 'a\0b' }
  const shell = 'printf %s "$CRONWRAP_ALERT_LAST_ERROR"'
  const target = { name: 'list', type: 'command', command: ['sh', '-c', shell] } as const
  expect(await send(target, message, 5_000)).toEqual({ kind: 'sent', answer: 'exit 0 a b' })
})

test('where nobody can be told, check --quiet says so', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  server.mood = 'refuse'
  const hook = { type: 'webhook', url: server.url }
  const settle = (targets: object): void =>
    fs.outputJsonSync(rig.home.config, { defaults: { alert_after: 1 }, notify: { targets } })
  settle({ hook })
  await rig.run(['--job', 'job', '--', 'false'])
  expect((await rig.run(['check', '--quiet'])).stdout).toMatch(/^notifications do not reach hook: HTTP 410/)
  settle({ hook, list: { type: 'command', command: ['true'] } })
  expect((await rig.run(['check', '--quiet'])).stdout).toBe('')
})

test('a word that no program can be given is a failure like any other', async () => {
  const target = { name: 'list', type: 'command', command: ['echo', 'a\0b'] } as const
  const message = sampleMessage(homeAt('/srv'), 'id', '2026-11-24T09:00:00Z')
  expect(await send(target, message, 5_000)).toMatchObject({ kind: 'failed' })
})

test('who hears of what, and when, is shown', async () => {
  await using rig = createRig()
  await using server = await WebhookServer.start()
  server.mood = 'error'
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1, notify: 'hook' },
    jobs: { b: { notify: ['hook', 'list'] }, c: { notify: [] } },
    notify: {
      targets: { hook: { type: 'webhook', url: server.url }, list: { type: 'command', command: ['true'] } },
    },
  })
  for (const job of ['a', 'b', 'c']) await rig.run(['--job', job, '--', 'false'])
  await rig.run(['--job', 'b', '--', 'true'])
  const { stdout } = await rig.run(['notify'])
  const lines = stdout.split('\n').filter(Boolean)
  expect(lines.slice(0, 3)).toEqual([
    'hook (webhook), hears of a, b',
    'list (command), hears of b',
    'nobody is told of 1 open alert: cronwrap alerts',
  ])
  // The end of the alert waits for its beginning; another job waits for nobody.
  expect(
    lines.slice(-3).map((line) =>
      line
        .replace(/\d{4}-\S+ \S+/, 'WHEN')
        .split(/ {2,}/)
        .slice(0, 5),
    ),
  ).toEqual([
    ['a', 'opened', 'hook', '1', 'WHEN'],
    ['b', 'opened', 'hook', '1', 'WHEN'],
    ['b', 'recovered', 'hook', '0', 'WHEN'],
  ])
})

test('a target that cannot be used cannot be tested', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { notify: { targets: { ops: { type: 'slack' } } } })
  const { code, stderr } = await rig.run(['notify', 'test', 'ops'])
  expect(code).toBe(125)
  expect(stderr).toMatch(/"ops" cannot be used.*\ncronwrap: it cannot be tested\n\s*hint: mend what is said above/)
})

test('what the cooldown holds back is shown', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, {
    defaults: { alert_after: 1 },
    notify: { cooldown: '1h', targets: { list: { type: 'command', command: ['true'] } } },
  })
  for (const end of ['false', 'true', 'false']) await rig.run(['--job', 'job', '--', end])
  const { stdout } = await rig.run(['notify'])
  expect(stdout).toMatch(/^job: 1 failure; told after the cooldown, at \d{4}-\S+\nnothing waits to be sent\n$/m)
})
