import { CronwrapError } from '../errors.ts'

const BYTES_PER_UNIT: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
}

/**
 * Reads a size as people write it: `10MiB`, `512k`, `1.5GB`, `4096`. `k`, `M` and `G` alone are
 * binary, as in dd(1) and ulimit.
 * @returns whole bytes
 * @throws CronwrapError `BAD_VALUE`
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  const unit = BYTES_PER_UNIT[match?.[2]?.toLowerCase() ?? '?']
  const bytes = Math.round(Number(match?.[1]) * (unit ?? NaN))
  if (!Number.isSafeInteger(bytes)) {
    throw new CronwrapError('BAD_VALUE', `"${text}" is not a size`, { hint: 'write it as 512KiB, 10MiB or 1GiB' })
  }
  return bytes
}

/** A size in the form `parseSize` reads: `812B`, `10MiB`, `1.5GiB`. */
export function formatSize(bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'KiB', 'MiB']) {
    if (value < 1024) return `${Number(value.toFixed(1))}${unit}`
    value /= 1024
  }
  return `${Number(value.toFixed(1))}GiB`
}
