import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { checkServices } from './test/support/services.ts'

checkServices(['postgres', 'uws'])

/** What must not share a process with other files. */
const APART = [
  // They replace modules that others may have loaded.
  'test/access/identify.test.ts',
  'test/clients/markdown.test.ts',
  // uWebSockets.js takes the limit of a request's head once, when it is loaded; these load it with another than the server's.
  'test/transports/**/*.test.ts',
  // They measure memory or count open files, or wait for the collector to take something.
  'test/process/open-files.test.ts',
  'test/chat/huge-results.test.ts',
  'test/documents/pdf.test.ts',
  'test/providers/anthropic-{cuts,release}.test.ts',
  'test/tools/mcp/stdio.test.ts',
]

/**
 * Files that share a process, and those that have one each. Starting a process and loading the source again took a third of
 * the run's time.
 */
export function projects(
  include: readonly string[],
  exclude: readonly string[],
): Record<'together' | 'apart', TestProjectConfiguration> {
  const both = {
    // Native addons (sockets, hashing) are loaded by tests: a process, not a worker thread.
    pool: 'forks',
    // Longer than any test should take on two busy cores; a test that needs more says so itself.
    testTimeout: 10_000,
    hookTimeout: 30_000,
    // One for each core that CI and most machines have.
    maxWorkers: 2,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  } as const
  return {
    together: {
      test: { ...both, name: 'together', isolate: false, include: [...include], exclude: [...exclude, ...APART] },
    },
    apart: { test: { ...both, name: 'apart', isolate: true, include: APART, exclude: [...exclude] } },
  }
}

export default defineConfig({
  test: {
    // Owns the one embedded Postgres of a run.
    globalSetup: './test/support/global-setup.ts',
    // A test that passes has nothing to say.
    silent: 'passed-only',
    projects: Object.values(projects(['test/**/*.test.ts'], ['test/browser/**'])),
  },
})
