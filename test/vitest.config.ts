import { defineConfig } from 'vitest/config'

export default defineConfig({
  define: { CRONWRAP_VERSION: JSON.stringify('0.0.0-test') },
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Tests start many real processes; more files at once than cores would only make deadlines late.
    maxWorkers: 2,
    reporters: ['default', './support/closing-line-reporter.ts'],
  },
})
