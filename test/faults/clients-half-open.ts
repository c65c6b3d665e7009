import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Dice } from '../support/dice.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { difference } from './clients-check.ts'
import { Peer, prescribed } from './clients-peer.ts'
import { CuttingProxy } from './clients-proxy.ts'
import { portOf, type Stage } from './clients-round.ts'
import { PlainView } from './clients-view.ts'

const [PING_MS, DEAD_MS] = [1000, 500]
/** Milliseconds between the server's looks at its connections, and what a busy machine may add. */
const [SWEEP_MS, SLACK_MS] = [1000, 2000]
/** Clients whose lines stay as they are: they must not be taken for dead. */
const HEALTHY = 3
const PATIENCE_MS = 30_000
const LOOK_MS = 50
/** An answer that is on all the while. */
const ANSWER = { words: 300, tokensPerSecond: 120 } as const
const NO_SIGN_OF_LIFE = 4408

/** Lines go silent without an end, in the middle of an answer: the server finds out, lets them go, and they come back whole. */
export async function playHalfOpen(stage: Stage, env: Readonly<Record<string, string>>, silent: number): Promise<void> {
  // On the same database, but asking for signs of life every second.
  const server = await ParleyProcess.start({
    ...env,
    PARLEY_DATA_DIR: stage.server.path('parley'),
    PARLEY_PING_INTERVAL: `${PING_MS}ms`,
    PARLEY_DEAD_AFTER: `${DEAD_MS}ms`,
    // All of them are tabs of one session.
    PARLEY_CONNECTIONS_PER_SESSION: '1000',
  })
  const proxies: CuttingProxy[] = []
  try {
    for (let nth = 0; nth < silent + HEALTHY; nth++) proxies.push(await CuttingProxy.listen(portOf(server)))
    await goSilent({ ...stage, server }, proxies, silent)
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.close()))
    await server.dispose()
  }
}

async function goSilent(stage: Stage, proxies: readonly CuttingProxy[], silent: number): Promise<void> {
  const { seed, transport, figures, oracle, server } = stage
  const where = `seed ${seed} ${silent} half-open, ${transport}`
  const peers = tabs(stage, proxies)
  for (const peer of peers) peer.connect()
  await Promise.all(peers.map((peer) => peer.until(() => peer.ready, PATIENCE_MS)))
  const [speaker] = peers.slice(silent)
  const content = oracle.write(ANSWER)
  await speaker?.ask((id) => ({ type: 'message.send', id, clientMessageId: randomUUID(), content }))
  // From here on: a socket that broke while it opened has been replaced by another.
  for (const peer of peers) peer.closes.length = 0
  for (const proxy of proxies.slice(0, silent)) proxy.hold()
  const boundMs = PING_MS + DEAD_MS + SWEEP_MS + SLACK_MS
  const tookMs = await goneWithin(server, boundMs)
  if (tookMs === undefined) figures.broken(where, [`P-90 ${await connections(server)} connections after ${boundMs} ms`])
  for (const proxy of proxies) proxy.release()
  for (const peer of peers.slice(0, silent)) {
    await peer.until(() => peer.closes.length > 0, PATIENCE_MS)
    if (peer.closes[0] !== NO_SIGN_OF_LIFE) figures.broken(where, [`${peer.name}: P-90 closed with ${peer.closes[0]}`])
  }
  for (const peer of peers.slice(silent))
    if (peer.closes.length > 0)
      figures.broken(where, [`${peer.name}: a healthy one was closed with ${peer.closes.join()}`])
  await Promise.all(peers.map((peer) => peer.until(() => peer.atRest, PATIENCE_MS)))
  figures.broken(where, agreement(peers))
  for (const peer of peers) peer.leave()
  figures.add('half-open sockets that were found', silent)
}

function tabs({ oracle, seed }: Stage, proxies: readonly CuttingProxy[]): Peer[] {
  const dice = new Dice(seed)
  const session = randomUUID()
  return proxies.map(
    (proxy, nth) =>
      new Peer({
        name: `client ${nth}`,
        port: proxy.port,
        session,
        view: new PlainView(),
        oracle,
        wait: prescribed(() => dice.next()),
      }),
  )
}

/** Milliseconds until only the healthy ones are left. */
async function goneWithin(server: ParleyProcess, boundMs: number): Promise<number | undefined> {
  const started = performance.now()
  while (performance.now() - started < boundMs) {
    if ((await connections(server)) === HEALTHY) return performance.now() - started
    await delay(LOOK_MS)
  }
  return undefined
}

async function connections(server: ParleyProcess): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(/^parley_connections (\d+)$/m.exec(text)?.[1] ?? Number.NaN)
}

function agreement(peers: readonly Peer[]): string[] {
  const expected = JSON.stringify(peers.at(-1)?.view.lines)
  return peers.flatMap((peer) => {
    const seen = JSON.stringify(peer.view.lines)
    const faults = [...peer.faults, ...peer.story.faults]
    return seen === expected
      ? faults
      : [...faults, `${peer.name}: I6 another transcript: ${difference(seen, expected)}`]
  })
}
