import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/support/free-port.ts'
import { SERVER_CORE, startNode, stopProcess } from '../rig/processes.ts'
import type { Contender, Place, Start } from './contender.ts'
import { startParley } from './contender-parley.ts'
import { startRelay } from './contender-relay.ts'
import { PARLEY, type Peer, RELAY } from './peer-list.ts'

const FOLDER = 'bench/peers/'
const ATTEMPTS = 300
const ATTEMPT_MS = 100

/** Starts any of the list, Parley and R among them. */
export function starterOf(peer: Peer): Start {
  if (peer.name === RELAY) return startRelay
  if (peer.name === PARLEY) return startParley
  return (place) => startPeer(peer, place)
}

async function startPeer(peer: Peer, place: Place): Promise<Contender> {
  const { upstreamUrl, outDir } = place
  const { name, file, wire, path } = peer
  const port = await freePort()
  const child = startNode(SERVER_CORE, ['--expose-gc', '--import', `${outDir}/probe.js`, `${FOLDER}${file}`], {
    PORT: String(port),
    ANTHROPIC_BASE_URL: upstreamUrl,
    ANTHROPIC_API_KEY: 'bench',
    NODE_ENV: 'production',
    // Of those that write a line for each request otherwise.
    LOG_LEVEL: 'error',
  })
  await untilListens(port, () => child.exitCode === null && child.signalCode === null)
  return {
    name,
    process: child,
    target: { port, path, headers: {}, wire },
    databasePid: undefined,
    store: undefined,
    restart: async () => {
      await stopProcess(child)
      return startPeer(peer, place)
    },
    stop: () => stopProcess(child),
  }
}

/** Not every peer answers a request that is none of its protocol. */
async function untilListens(port: number, lives: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (!lives()) throw new Error('the server ended before it listened')
    if (await listens(port)) return
    await sleep(ATTEMPT_MS)
  }
  throw new Error(`nothing listens on port ${port}`)
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
