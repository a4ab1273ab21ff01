import * as fs from 'node:fs'

/** The names in a directory; none where it does not exist, was removed meanwhile, or is not ours to read. */
export function listDirectory(path: string): string[] {
  try {
    return fs.readdirSync(path)
  } catch {
    return []
  }
}
