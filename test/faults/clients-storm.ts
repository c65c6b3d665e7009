import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Dice } from '../support/dice.ts'
import { brokenPromises, contradictions } from './clients-check.ts'
import { isAck, Journal } from './clients-journal.ts'
import { Peer, prescribed, type Wait } from './clients-peer.ts'
import { portOf, type Stage } from './clients-round.ts'
import { PlainView } from './clients-view.ts'

/** Clients of one session: below the 50 that a session takes, so that it is the whole that storms. */
const CLIENTS_PER_SESSION = 20
/** Milliseconds for everyone to be served: many times what a machine needs, far below what a person would call never. */
const SERVED_MS = 60_000
const LOOK_MS = 20
/** An answer that is on when the server goes, and one that waits and is told while they all come back. */
const [LONG, WAITING] = [
  { words: 400, tokensPerSecond: 100 },
  { words: 100, tokensPerSecond: 100 },
] as const
/** Milliseconds. Without jitter: what the server asks for and no more, so that all come in the same moment. */
const AT_ONCE: Wait = (attempt, floorMs) => (attempt === 1 ? floorMs : 100)

type Crowd = { readonly journal: Journal; readonly session: string; readonly peers: readonly Peer[] }

/** Everyone comes back after a restart, with the jitter that the protocol prescribes or all at once: all are served, all are whole. */
export async function playStorm(stage: Stage, count: number, jitter: boolean): Promise<string> {
  const { transport, seed, figures, server } = stage
  const where = `seed ${seed} storm of ${count} ${jitter ? 'with' : 'without'} jitter, ${transport}`
  const dice = new Dice(seed + count)
  const crowds = Array.from({ length: Math.ceil(count / CLIENTS_PER_SESSION) }, () =>
    gather(stage, jitter ? prescribed(() => dice.next()) : AT_ONCE),
  )
  const peers = crowds.flatMap((crowd) => crowd.peers)
  const came = performance.now()
  for (const peer of peers) peer.connect()
  if (!(await all(peers, (peer) => peer.ready))) figures.broken(where, ['not all were served before the restart'])
  const firstMs = performance.now() - came
  await Promise.all(crowds.map((crowd) => talk(stage, crowd)))
  const attempts = sum(peers, (peer) => peer.counts.attempts)
  const restarted = performance.now()
  await server.stop()
  await server.start()
  const up = performance.now()
  const back = await all(peers, (peer) => peer.atRest && (peer.readyAt ?? 0) > restarted)
  if (!back) figures.broken(where, [`${peers.filter((peer) => !peer.atRest).length} were not served after the restart`])
  for (const crowd of crowds) figures.broken(where, await verdict(stage, crowd))
  for (const peer of peers) peer.leave()
  figures.add('storm clients served and whole', peers.length)
  const times = peers.map((peer) => (peer.readyAt ?? 0) - up).sort((a, b) => a - b)
  const at = (share: number): string => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(0)
  const tries = sum(peers, (peer) => peer.counts.attempts) - attempts
  return (
    `${where}: all in after ${firstMs.toFixed(0)} ms; after the restart served from its start on: ` +
    `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, last ${at(1)} ms, ${tries} handshakes`
  )
}

function gather({ server, oracle }: Stage, wait: Wait): Crowd {
  const session = randomUUID()
  const peers = Array.from(
    { length: CLIENTS_PER_SESSION },
    (_, nth) =>
      new Peer({
        name: `${session.slice(0, 8)} client ${nth}`,
        port: portOf(server),
        session,
        view: new PlainView(),
        oracle,
        wait,
      }),
  )
  return { journal: new Journal(), session, peers }
}

/** A long answer is on and a message waits: the restart ends the one, the other is answered while everyone comes back. */
async function talk({ oracle, figures }: Stage, { journal, peers }: Crowd): Promise<void> {
  const [first] = peers
  if (first === undefined) return
  for (const plan of [LONG, WAITING]) {
    const content = oracle.write(plan)
    const clientMessageId = randomUUID()
    const send = { id: clientMessageId, content, policy: 'enqueue' as const, at: journal.tick() }
    const answer = await first.ask((id) => ({ type: 'message.send', id, clientMessageId, content }))
    journal.sends.push({ ...send, acks: isAck(answer) ? [answer] : [], refusedBy: undefined })
  }
  figures.add('sends acknowledged', 2)
}

async function verdict({ server, oracle }: Stage, { journal, session, peers }: Crowd): Promise<string[]> {
  const fresh = new Peer({
    name: 'fresh',
    port: portOf(server),
    session,
    view: new PlainView(),
    oracle,
    wait: prescribed(Math.random),
  })
  fresh.connect()
  const came = await fresh.until(() => fresh.atRest, SERVED_MS)
  fresh.leave()
  const outcome = { journal, oracle, peers: [...peers, fresh], final: fresh.view.lines }
  return [...(came ? [] : ['fresh: never served']), ...brokenPromises(outcome), ...contradictions(peers)]
}

async function all(peers: readonly Peer[], holds: (peer: Peer) => boolean): Promise<boolean> {
  const deadline = performance.now() + SERVED_MS
  while (!peers.every(holds)) {
    if (performance.now() > deadline) return false
    await delay(LOOK_MS)
  }
  return true
}

function sum(peers: readonly Peer[], of: (peer: Peer) => number): number {
  return peers.reduce((total, peer) => total + of(peer), 0)
}
