import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { BenchError } from '../rig/options.ts'

/** The bench runs in the project's directory. */
const FOLDER = 'bench/peers'

/** Peers are no packages of Parley's: they are fetched when they are measured, and again when their versions change. */
export function installPeers(): void {
  if (areInstalled()) return
  console.error(`npm ci in ${FOLDER}: what Parley is measured beside, some 240 MB, once`)
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: FOLDER,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new BenchError(`npm ci in ${FOLDER} failed: see above; --only R,Parley needs none of it`)
}

function areInstalled(): boolean {
  const { dependencies }: { readonly dependencies: Readonly<Record<string, string>> } = manifest(FOLDER)
  return Object.entries(dependencies).every(([name, version]) => {
    try {
      return manifest(`${FOLDER}/node_modules/${name}`).version === version
    } catch {
      return false
    }
  })
}

function manifest(folder: string) {
  return JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
}
