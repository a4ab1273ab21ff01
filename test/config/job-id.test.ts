import * as fc from 'fast-check'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { homeAt } from '../../src/config/base-directory.ts'
import { deriveJobId, isId, parseId } from '../../src/config/job-id.ts'
import { logPath } from '../../src/record/execution-log.ts'

const home = homeAt('/base')
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('.', '/', '-', '_', 'a', 'ж', '水', '\0', '\n', ' ', '~', '\\') }),
)

test('an id stays as it is and names a file in its directory, whatever it is; anything else is refused', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      if (!isId(text)) {
        expect(() => parseId(text)).toThrow('cannot name a job')
        return
      }
      expect(parseId(text)).toBe(text)
      expect(dirname(logPath(home, text))).toBe(home.logs)
      expect(join(home.state, `${text}.json`)).toBe(`${home.state}/${text}.json`)
    }),
  )
})

test('every command has an id', () => {
  fc.assert(
    fc.property(fc.array(anyText, { minLength: 1, maxLength: 4 }), (command) => {
      const id = deriveJobId(command)
      expect(isId(id)).toBe(true)
      expect(isId(deriveJobId([id]))).toBe(true)
    }),
  )
})
