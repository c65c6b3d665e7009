import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** What a Postgres server other than the embedded one may change. */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/{storage,contracts,server,conformance}/**/*.test.ts'],
    exclude: [
      // About the embedded server, or about no database at all.
      'test/storage/{embedded,embedded-others,batcher,group-commit,group-commit-away,memory-store}.test.ts',
      // Whole processes with a data directory of their own.
      'test/server/{process,documents,http-tools,mcp,tls}.test.ts',
      'test/conformance/tanstack.test.ts',
    ],
  },
})
