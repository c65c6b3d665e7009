import { defineConfig } from 'vitest/config'
import base, { projects } from './vitest.config.ts'

/** What a Postgres server other than the embedded one may change. */
const { together } = projects(
  ['test/{storage,contracts,server,conformance}/**/*.test.ts'],
  [
    // About the embedded server, or about no database at all.
    'test/storage/{embedded,embedded-others,batcher,group-commit,group-commit-away,memory-store}.test.ts',
    // Whole processes with a data directory of their own.
    'test/server/{process,documents,http-tools,mcp,tls}.test.ts',
    'test/conformance/tanstack.test.ts',
  ],
)

export default defineConfig({ test: { ...base.test, projects: [together] } })
