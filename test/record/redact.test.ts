import { array, assert, constantFrom, oneof, property, uint8Array } from 'fast-check'
import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { redactedPieces } from '../../src/record/redacted-output.ts'
import { Redactor } from '../../src/record/redact.ts'
import { createRig } from '../support/rig.ts'

const known = new Redactor({ patterns: [], known: true })
const own = (...patterns: string[]): Redactor => new Redactor({ patterns, known: false })
const letters = (length: number): string => 'aB3dE5gH9k'.repeat(30).slice(0, length)

test.each([
  [`ghp_${letters(36)}`],
  [`github_pat_${letters(40)}`],
  [`glpat-${letters(20)}`],
  [`xoxb-123456789012-${letters(24)}`],
  ['AKIAIOSFODNN7EXAMPLE'],
  [`AIza${letters(35)}`],
  [`sk-proj-${letters(40)}`],
  [`sk_live_${letters(24)}`],
  [`npm_${letters(36)}`],
  [`123456789:AA${letters(33)}`],
  [`eyJhbGciOiJI.eyJzdWIiOiIx.${letters(20)}`],
])('a token of a known shape is hidden wherever it stands: %s', (token) => {
  for (const text of [token, `x ${token} y`, `"${token}"`, `/bot${token}/send`.replace('/botgh', '/ gh')]) {
    if (text.startsWith('/bot') && !/^\d/.test(token)) continue
    const hidden = known.text(text)
    expect(hidden).toHaveLength(text.length)
    expect(hidden).not.toContain(token.slice(-8))
  }
})

test.each([
  ['Authorization: Bearer abc123', 'abc123'],
  ["curl -H 'authorization: Basic dXNlcjpwYXNz'", 'dXNlcjpwYXNz'],
  ['postgres://app:s3cr3t@db/x', 's3cr3t'],
  ['DB_PASSWORD=hunter22', 'hunter22'],
  ['{"client_secret": "abcd-efgh"}', 'abcd-efgh'],
  ['mysql --password hunter22 -u root', 'hunter22'],
  ['MYSQL_PWD=hunter22', 'hunter22'],
  ['AWS_SECRET_ACCESS_KEY=abcd/efg+h', 'abcd/efg+h'],
  ['https://hooks.slack.com/services/T000/B000/abcdef', 'T000/B000/abcdef'],
  ['Authorization: ApiKey VnVhQ2ZHY0JDZGJrUW', 'ApiKey VnVhQ2ZHY0JDZGJrUW'],
  ['{"h": "{\\"Authorization\\": \\"Basic dXNlcjpw\\"}"}', 'dXNlcjpw'],
  ['password = "correct horse battery"', 'correct horse battery'],
  ['PASSWORD=abcd,efgh(2)SECRET x', 'abcd,efgh(2)SECRET'],
  ['SMTP_PASS=hunter22', 'hunter22'],
  ['SECRET_KEY_BASE=abc', 'abc'],
  ['password[0]=abc', 'abc'],
  ['aws_secret_access_key    =    wJalrXUt', 'wJalrXUt'],
  ['  password: hunter', 'hunter'],
  ['curl -u admin:hunter22 https://x', 'hunter22'],
  ['postgres://user:p@ss/word@host', 'p@ss/word'],
  [`https://${letters(40)}@github.com/x`, letters(40)],
  ['<password>abc</password>', 'abc'],
  ['postgres://u:p@ssw0rd@db/x', 'p@ssw0rd'],
  ["host='hooks.slack.com' with url: /services/T01/B02/abcdefXYZ", 'T01/B02/abcdefXYZ'],
  ['/api/webhooks/1234567890/abcdefghijklmnopqrstuv', '1234567890/abcdefghijklmnopqrstuv'],
  ['DBPASS=hunter2', 'hunter2'],
  ['Set-Cookie: session=abcdef', 'session=abcdef'],
  ['machine h login me password hunter22', 'hunter22'],
  ['mysql -uroot -phunter2 db', 'hunter2'],
])('a value where a secret stands is hidden, and nothing else: %s', (text, secret) => {
  const hidden = known.text(text)
  expect(hidden).not.toContain(secret)
  const [before = '', after = ''] = text.split(secret)
  expect(hidden.startsWith(before)).toBe(true)
  expect(hidden.endsWith(after)).toBe(true)
  expect(hidden).toHaveLength(text.length)
})

test.each([
  ['PWD=/home/user'],
  ['token = read_token()'],
  ['password=os.environ["X"]'],
  ['tokens: 1234 used'],
  ['see https://example.org:8080/path'],
  ['monkey: banana'],
  ['password: None'],
  ['wrong password: retrying in 5s'],
  ['docker run -u 1000:1000 --token-file /etc/x image'],
  ['password_file=/run/secrets/x token_type=bearer secret_count=4'],
  ['if (password === null) login(token=self.token, password=password, x)'],
  ['ERROR: authorization: denied for request 1234'],
  ['pass=12 fail=3'],
  ['{"token_count": 123, "x": 1}'],
  ['http://[::1]:5173/@vite/client'],
  ['Unexpected token: punc'],
  ['run --use-token --verbose'],
  ['run --no-password --all'],
  ['http://localhost:3000/a?mail=x@y'],
  ['npm_package_devDependencies_typescript_eslint_plugin'],
  ['-----BEGIN PRIVATE KEY----- was not found\nnext line'],
])('what is no secret stays: %s', (text) => {
  expect(known.text(text)).toBe(text)
})

test('a private key is hidden line by line, also when only a part of it was kept', () => {
  const body = Array.from({ length: 5 }, () => letters(64)).join('\n')
  const [begin, end] = ['-----BEGIN RSA PRIVATE KEY-----', '-----END RSA PRIVATE KEY-----']
  for (const text of [
    `a\n${begin}\nVersion: GnuPG v2.0 (Linux)\n${body}\n${end}\nb`,
    `a\n${begin}\n${body}`,
    `VATE KEY-----\n${body}\n${end}\nb`,
  ]) {
    const hidden = known.text(text, { before: !text.startsWith('a'), after: false })
    expect(hidden).not.toContain(letters(8))
    expect(hidden.split('\n')).toHaveLength(text.split('\n').length)
  }
})

test('of an own pattern with groups the groups are hidden, else all of it', () => {
  expect(own('customer-(\\d+)').text('customer-4711 pays')).toBe('customer-**** pays')
  expect(own('customer-\\d+').text('customer-4711 pays')).toBe('[redacted***] pays')
  expect(own('(?<=id )\\w+', 'pays').text('id 4711 pays')).toBe('id **** ****')
})

test('words are searched as one line and stay the same words', () => {
  expect(known.words(['mysql', '--password', 'hunter22', '-e', 'select 1'])).toEqual([
    'mysql',
    '--password',
    '********',
    '-e',
    'select 1',
  ])
})

test('a pattern that never ends is stopped, hides what it was to search, and is told', () => {
  const endless = own('^(a+)+$')
  expect(endless.text(`${'a'.repeat(60)}!`)).toBe(`[redacted${'*'.repeat(51)}]`)
  expect(endless.problems).toEqual([expect.stringContaining('took too long')])
}, 20_000)

test('a pattern means each line, also between bytes that are no text', () => {
  expect(own('^pin \\d+').text('a\npin 1234\nb')).toBe('a\n********\nb')
  const content = Buffer.concat([Buffer.from('clé-1234\n'), Buffer.of(0xff)])
  own('clé-\\d+').bytes(content)
  expect(content.toString('latin1')).toBe('*********\n\u00ff')
})

test('hiding bytes changes no length and nothing but the secrets, in any encoding', () => {
  const secret = /зд[ео]сь|xyz+/g
  assert(
    property(
      array(oneof(constantFrom('xyzz', 'здесь', 'ö', '€', '😀', ' '), uint8Array({ maxLength: 4 }))),
      (parts) => {
        const content = Buffer.concat(parts.map((part) => Buffer.from(part as string)))
        const hidden = Buffer.from(content)
        own(secret.source).bytes(hidden)
        expect(hidden).toHaveLength(content.length)
        const text = content.toString('utf8')
        if (Buffer.from(text).equals(content)) expect(secret.test(hidden.toString('utf8'))).toBe(false)
        for (const [index, byte] of hidden.entries())
          if (byte !== content[index]) expect('[redacted*]'.includes(String.fromCharCode(byte))).toBe(true)
      },
    ),
    { seed: 4 },
  )
})

test('a secret is found where files and pieces meet, and half of one where output was left out', async () => {
  await using rig = createRig()
  const token = `ghp_${letters(36)}`
  const total = 3 * 1024 * 1024
  for (const cutAt of [1024 * 1024 - 10, 1024 * 1024 + 64 * 1024 - 3, 2 * 1024 * 1024 - 39]) {
    const text = `${'x '.repeat(cutAt / 2).slice(0, cutAt)} ${token} `.padEnd(total, '. ')
    const paths = [0, 1].map((index) =>
      rig.write(`part${index}`, text.slice(index * (cutAt + 20), (index + 1) * (cutAt + 20))),
    )
    if (text.length > 2 * (cutAt + 20)) paths.push(rig.write('part2', text.slice(2 * (cutAt + 20))))
    const extents = paths.map((path) => ({ path, start: 0, length: fs.statSync(path).size }))
    const whole = { extents, redactor: known, cut: { before: false, after: false } }
    const hidden = Buffer.concat([...redactedPieces(whole)]).toString()
    expect(hidden).toBe(text.replace(token, `[redacted${'*'.repeat(30)}]`))
    const [first] = extents
    if (first === undefined) throw new Error('no part')
    const head = { extents: [first], redactor: known, cut: { before: false, after: true } }
    expect(Buffer.concat([...redactedPieces(head)]).toString()).not.toContain('ghp_')
    const tail = { extents: extents.slice(1), redactor: known, cut: { before: true, after: false } }
    expect(Buffer.concat([...redactedPieces(tail)]).toString()).not.toContain(token.slice(-10))
  }
})

test('37: secrets pass through and stay out of the log, the journal, the alerts and the command', async () => {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { defaults: { redact: ['kunde-(\\d+)'], 'alert-after': 1 } })
  const token = `ghp_${letters(36)}`
  const script = rig.write(
    'secretive.sh',
    `printf '${token.slice(0, 20)}'; sleep 0.05; echo '${token.slice(20)}'; echo kunde-4711 intern-99 >&2; exit 1`,
  )
  const words = ['--job', 'secretive', '--redact', 'intern-\\d+', '--', 'sh', script, '--password', 'hunter22']
  const { stdout, stderr } = await rig.run(words)
  expect(stdout).toBe(`${token}\n`)
  expect(stderr).toBe('kunde-4711 intern-99\n')
  await rig.run([
    'delivery',
    'secretive',
    '1',
    'failed',
    '--error',
    'POST https://bot:s3cr3t@host for kunde-4711 failed',
  ])
  const files = fs.readdirSync(rig.home.logs).filter((name) => !name.startsWith('.'))
  for (const name of files) {
    const text = fs.readFileSync(`${rig.home.logs}/${name}`, 'utf8')
    for (const secret of [token, token.slice(20), '4711', 'intern-99', 'hunter22', 's3cr3t'])
      expect(text, `${name} holds ${secret}`).not.toContain(secret)
  }
  expect(rig.alerts()[0]?.last_error).toBe('kunde-**** *********')
})

test('--no-redact keeps what is known, a bad pattern elsewhere hides all, a bad flag is refused', async () => {
  await using rig = createRig()
  await rig.run(['--job', 'open', '--no-redact', '--redact', 'b+', '--', 'echo', 'password=hunter22', 'bbb'])
  expect(rig.log('open')).toContain('password=hunter22 ***\n')
  const bad = await rig.run(['--redact', '(', '--', 'true'])
  expect(bad).toMatchObject({ code: 125 })
  expect(bad.stderr).toContain('--redact: the value is no regular expression: Unterminated group')
  const run = await rig.runWith({ CRONWRAP_REDACT: '(' }, ['--job', 'shut', '--', 'echo', 'hello'])
  expect(run).toMatchObject({ code: 0, stdout: 'hello\n' })
  expect(run.stderr).toContain('everything is hidden in the record')
  expect(rig.log('shut')).not.toContain('hello')
})

test('the secrets of a run whose wrapper was killed stay out of the record too', async () => {
  await using rig = createRig()
  await rig.shell(`
    cronwrap --job killed --redact 'intern-\\d+' -- sh -c '
      echo intern-99 password=hunter22
      until grep -q hunter $CRONWRAP_HOME/logs/.running/$CRONWRAP_RUN_ID/1.stdout.0; do sleep 0.01; done
      kill -9 $PPID'
    cronwrap -- true`)
  expect(rig.runs().map(({ job, reason }) => `${job} ${reason}`)).toContain('killed lost')
  expect(rig.log('killed')).toContain('--- STDOUT (')
  expect(rig.log('killed')).toContain('password=********\n')
  expect(rig.log('killed')).not.toContain('intern-99')
})
