import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startEmbedded } from '../../src/storage/embedded.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Data directory of the run's embedded Postgres. */
    postgresDataDir: string
  }
}

let dataDir: string | undefined

/** Only names the directory: a run without storage tests starts no server (see createTestDatabase). */
export function setup(project: TestProject): void {
  dataDir = mkdtempSync(join(tmpdir(), 'parley-test-'))
  // As root the server runs as nobody, who must get through.
  chmodSync(dataDir, 0o711)
  project.provide('postgresDataDir', dataDir)
}

export async function teardown(): Promise<void> {
  if (dataDir === undefined) return
  if (existsSync(join(dataDir, 'postgres', 'postmaster.pid'))) {
    const server = await startEmbedded({ dataDir, log: () => {} })
    await server.stop()
  }
  rmSync(dataDir, { recursive: true, force: true })
}
