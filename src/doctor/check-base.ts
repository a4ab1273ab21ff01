import * as fs from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { listDirectory } from '../platform/list-directory.ts'
import { formatSize } from '../platform/size.ts'
import { readHistory } from '../record/journal-reader.ts'
import { listSegments } from '../record/journal-segment.ts'
import { quoteCommand } from '../record/outcome-text.ts'
import { repair } from '../record/repair.ts'
import { readSummaryFile } from '../record/summary.ts'
import type { Finding, Fix } from './finding.ts'

const LOW_DISK_BYTES = 100 * 1024 * 1024
/** A lock or temporary file that is older belongs to nobody. */
const LEFT_OVER_MS = 60_000
/** statfs(2) of NFS. */
const NFS_TYPE = 0x6969

const REPAIR_NEXT = 'cronwrap repair'
const FIX_NEXT = 'cronwrap doctor --fix'

/** The base directory: whether it can be written, is private, has room, and holds what it should. @throws when it cannot be read */
export function checkBase(home: Home, now: Date): Finding[] {
  if (!fs.existsSync(home.logs)) return [nothingRecorded(home)]
  fs.readdirSync(home.logs)
  return [...checkAccess(home), ...checkDisk(home), ...checkRecords(home, now), ...checkLeftOvers(home, now)]
}

function general(
  id: string,
  severity: Finding['severity'],
  text: readonly [seen: string, means: string, next: string],
  fix?: Fix,
): Finding {
  const [seen, means, next] = text
  return { id, severity, job: null, seen, means, next, ...(fix === undefined ? {} : { fix }) }
}

function nothingRecorded({ base }: Home): Finding {
  const means = 'no job has run under cronwrap with this base directory; --home or CRONWRAP_HOME may name another one'
  return general('nothing-recorded', 'warning', [`${base} holds no records`, means, 'cronwrap -- echo hello'])
}

function checkAccess({ base, logs, state, running }: Home): Finding[] {
  const findings: Finding[] = []
  const shut = [base, logs, running].filter((path) => fs.existsSync(path) && !isWritable(path))
  if (shut.length > 0) {
    const means = 'jobs run, and nothing is recorded'
    findings.push(
      general('not-writable', 'error', [
        `${shut.join(', ')} cannot be written`,
        means,
        quoteCommand(['sudo', 'chown', '-R', userInfo().username, base]),
      ]),
    )
  }
  // The base directory itself may be the workspace of somebody else.
  const open = [logs, state, ...listDirectory(logs).map((name) => join(logs, name))].filter(isOpenToOthers)
  if (open.length > 0) {
    const apply = async (): Promise<void> => {
      for (const path of open) fs.chmodSync(path, fs.statSync(path).isDirectory() ? 0o700 : 0o600)
    }
    const seen = `${open[0] ?? ''}${open.length > 1 ? ` and ${open.length - 1} more` : ''} can be read by others`
    const text = [seen, 'output may hold secrets', FIX_NEXT] as const
    findings.push(
      general('open-permissions', 'warning', text, {
        says: `took the rights of others from ${open.length === 1 ? '1 path' : `${open.length} paths`}`,
        apply,
      }),
    )
  }
  return findings
}

function isWritable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.W_OK)
    return true
  } catch {
    return false
  }
}

function isOpenToOthers(path: string): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  return stat !== undefined && !stat.isSymbolicLink() && (stat.mode & 0o077) !== 0
}

function checkDisk({ base }: Home): Finding[] {
  const { bavail, bsize, ffree, files, type } = fs.statfsSync(base)
  const findings: Finding[] = []
  if (bavail * bsize < LOW_DISK_BYTES || (files > 0 && ffree === 0)) {
    const seen =
      files > 0 && ffree === 0 ? 'the disk has no inodes left' : `${formatSize(bavail * bsize)} are left on the disk`
    findings.push(
      general('disk-full', 'error', [seen, 'output and records may get lost', quoteCommand(['df', '-h', base])]),
    )
  }
  if (type === NFS_TYPE) {
    const means = 'appends and locks of several hosts are not safe there'
    findings.push(general('network-disk', 'warning', [`${base} is on NFS`, means, quoteCommand(['df', base])]))
  }
  return findings
}

function checkRecords(home: Home, now: Date): Finding[] {
  const fix = { says: 'made the views again from the journal', apply: async () => void (await repair(home, now)) }
  const findings: Finding[] = []
  const summary = readSummaryFile(home.summary)
  const { skippedLines, events } = readHistory(home)
  if (summary.kind === 'broken') {
    const means = 'programs that read it see nothing; it is made again from the journal'
    findings.push(general('summary-broken', 'error', [`${home.summary} is not valid`, means, REPAIR_NEXT], fix))
  }
  if (summary.kind === 'missing' && events.length > 0) {
    const means = 'programs that read it see nothing; it is made again from the journal'
    findings.push(general('summary-missing', 'warning', [`${home.summary} is missing`, means, REPAIR_NEXT], fix))
  }
  if (summary.kind === 'valid' && summary.summary.size > 0 && listSegments(home).length === 0) {
    const means = 'the totals go on from the summary with the next run; the single runs of before are gone'
    findings.push(general('journal-missing', 'note', [`${home.journal} is missing`, means, 'cronwrap status']))
  }
  if (skippedLines > 0) {
    const means = 'each is an append that failed and was told, or damage from outside; they are passed over'
    const seen = `lines of the journal that cannot be read: ${skippedLines}`
    findings.push(general('journal-damaged', 'note', [seen, means, `cronwrap runs <job>`]))
  }
  return findings
}

function checkLeftOvers(home: Home, now: Date): Finding[] {
  const old = (path: string): boolean =>
    now.getTime() - (fs.lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now.getTime()) > LEFT_OVER_MS
  const inLogs = listDirectory(home.logs)
  const abandoned = inLogs.filter((name) => /\.(?:tmp|lock)$/.test(name) && old(join(home.logs, name)))
  const findings: Finding[] = []
  if (abandoned.length > 0) {
    const apply = async (): Promise<void> => {
      for (const name of abandoned) fs.rmSync(join(home.logs, name), { recursive: true, force: true })
    }
    const text = [`left over in ${home.logs}: ${abandoned.join(', ')}`, 'a cronwrap was killed', FIX_NEXT] as const
    findings.push(general('left-overs', 'warning', text, { says: `removed ${abandoned.join(', ')}`, apply }))
  }
  const aside = inLogs.filter((name) => name.endsWith('.corrupt') || name.includes('.corrupt-'))
  if (aside.length > 0) {
    const means = 'files that could not be read were kept aside; remove them once you have looked'
    findings.push(general('kept-aside', 'note', [aside.join(', '), means, quoteCommand(['ls', '-l', home.logs])]))
  }
  return findings
}
