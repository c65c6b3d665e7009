import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import * as v from 'valibot'
import { freePort } from '../../test/support/free-port.ts'
import { childrenOf, moveToCore, OTHER_CORE, SERVER_CORE, startNode, stopProcess } from '../rig/processes.ts'
import { type Contender, type Place, type Start, untilAnswers } from './contender.ts'

/** The bench runs in the project's directory. */
const MAIN = 'dist/main.js'
const CLI = 'dist/cli.js'
export const APP_ID = 'bench'

const APP = {
  id: APP_ID,
  name: 'Bench',
  preamble: 'You are measured.',
  model: { default: 'anthropic/bench', allowed: ['anthropic/bench'], maxOutputTokens: 8192, contextTokens: 150_000 },
}
/** uws, unless the other one is asked for: goals are those of uws, but for the memory of an idle connection. */
export const TRANSPORT = process.env.PARLEY_TRANSPORT ?? 'uws'
const SECRET_KEY = /sk_live_\w+/
const START = v.parse(
  v.object({ scripts: v.object({ start: v.string() }) }),
  JSON.parse(readFileSync('package.json', 'utf8')),
)
/** What Node is told by those who start it as the README says. */
const NODE_ARGS = START.scripts.start.split(' ').filter((part) => part.startsWith('--'))

/** Parley on a keyed App, with the embedded Postgres (or `DATABASE_URL`) writing through, in a data directory of its own. */
export const startParley: Start = async (place) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'))
  // As root, Postgres runs as another user and must get through to its data.
  await chmod(folder, 0o711)
  try {
    return await launch(folder, place)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function launch(folder: string, place: Place): Promise<Contender> {
  const { upstreamUrl, outDir } = place
  const dataDir = join(folder, 'data')
  const port = await freePort()
  const env = {
    PORT: String(port),
    HOST: '127.0.0.1',
    PARLEY_DATA_DIR: dataDir,
    PARLEY_TRANSPORT: TRANSPORT,
    ANTHROPIC_API_KEY: 'bench',
    ANTHROPIC_BASE_URL: upstreamUrl,
    LOG_LEVEL: 'warn',
    // A title is one more request of the model per session: no token of the answer that is measured.
    PARLEY_TITLES: 'off',
    ...place.env,
    NODE_ENV: 'production',
  }
  const nodeArgs = [...NODE_ARGS, '--expose-gc', ...(place.nodeArgs ?? []), '--import', join(outDir, 'probe.js')]
  const child = startNode(SERVER_CORE, [...nodeArgs, MAIN], env)
  await untilAnswers(`http://127.0.0.1:${port}/readyz`, child, (status) => status === 200)
  const databasePid = postmasterIn(dataDir)?.pid
  if (databasePid !== undefined)
    for (const pid of [databasePid, ...childrenOf(databasePid)]) moveToCore(pid, OTHER_CORE)
  const key = await makeKey(folder, env, place.tools ?? [])
  return {
    name: 'Parley',
    process: child,
    target: { port, path: `/ws?app=${APP_ID}`, headers: { 'AOMI-APP-KEY': key }, sessionHeader: 'X-Session-Id' },
    databasePid,
    store: { dataDir, connect: () => connect(dataDir) },
    restart: async () => {
      await stopProcess(child)
      return launch(folder, place)
    },
    stop: async () => {
      await stopProcess(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function makeKey(folder: string, env: NodeJS.ProcessEnv, tools: readonly string[]): Promise<string> {
  const file = join(folder, 'app.json')
  await writeFile(file, JSON.stringify({ ...APP, tools }))
  cli(env, ['apps', 'put', file])
  const [key] = SECRET_KEY.exec(cli(env, ['keys', 'create', '--app', APP_ID, '--kind', 'secret'])) ?? []
  if (!key) throw new Error('the CLI printed no key')
  return key
}

function cli(env: NodeJS.ProcessEnv, args: readonly string[]): string {
  const done = spawnSync(process.execPath, [CLI, ...args], { env: { ...process.env, ...env }, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`parley ${args.join(' ')} failed: ${done.stderr || done.stdout}`)
  return done.stdout
}

function connect(dataDir: string): postgres.Sql {
  const url = process.env.DATABASE_URL
  if (url) return postgres(url, { max: 1, onnotice: () => {} })
  const server = postmasterIn(dataDir)
  if (!server) throw new Error('no database runs in the data directory')
  const { socketDir: host, port } = server
  return postgres({ host, port, username: 'postgres', database: 'postgres', max: 1, onnotice: () => {} })
}

type Postmaster = { readonly pid: number; readonly port: number; readonly socketDir: string }

/** What Postgres writes about itself: pid, data directory, start, port, socket directory. */
function postmasterIn(dataDir: string): Postmaster | undefined {
  if (process.env.DATABASE_URL) return undefined
  const file = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('postmaster.pid'),
  )
  if (file === undefined) return undefined
  const [pid, , , port, socketDir = ''] = readFileSync(join(dataDir, file), 'utf8').split('\n')
  return { pid: Number(pid), port: Number(port), socketDir }
}
