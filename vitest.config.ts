import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { checkServices } from './test/support/services.ts'

/** Owns the one embedded Postgres of a run. */
const GLOBAL_SETUP = './test/support/global-setup.ts'

checkServices(['postgres'])

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/browser/**'],
    ...(existsSync(new URL(GLOBAL_SETUP, import.meta.url)) ? { globalSetup: GLOBAL_SETUP } : {}),
    // Native addons (sockets, hashing) are loaded by tests: a process each, not a worker thread.
    pool: 'forks',
    // Longer than any test should take on two busy cores; a test that needs more says so itself.
    testTimeout: 10_000,
    hookTimeout: 30_000,
    // One for each core that CI and most machines have: tests wait more than they compute.
    maxWorkers: 2,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    // A test that passes has nothing to say.
    silent: 'passed-only',
  },
})
