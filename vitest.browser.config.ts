import { defineConfig } from 'vitest/config'
import { checkServices } from './test/support/services.ts'

// Its servers choose their transport themselves.
checkServices(['chromium', 'uws'])

export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    pool: 'forks',
    // Each file has a Chromium and a server of its own; two at once would starve each other on two cores.
    fileParallelism: false,
    // A cold Chromium, a server start and a slow answer, with room for a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    silent: 'passed-only',
  },
})
