import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Crowd } from './crowd.ts'
import { Latencies } from './latencies.ts'
import type { Target } from './line.ts'
import type { GuessCommand, GuessResult, KnockCommand, KnockResult } from './load-command.ts'
import { LoadSession } from './session.ts'
import { HandshakeRefused, LoadSocket } from './socket.ts'

/** As clients come back (P-24): 0.5 s, doubling to 10 s, with full jitter, not before the server says. */
const BACKOFF = { firstMs: 500, mostMs: 10_000 }
/** A client that finds no end gives up: the figures tell how many. */
const GIVE_UP_MS = 300_000
/** Refusals that pass: over a limit, overloaded. */
const PASSING = [429, 503]
/** Characters of a key's parts, as they are minted. */
const [ID_LENGTH, SECRET_LENGTH] = [12, 32]
/** Addresses that guesses come from: so many that the limit per key and address hides nothing. */
const ADDRESSES = 60_000
/** Guesses under way at once; above it the flood is slower than it was asked to be, and the figures tell. */
const MOST_GUESSES = 200

/** So many clients, each with a key that the server has not seen, spread evenly; each tries until it is let in. */
export async function knock(crowd: Crowd, { target, keys, spreadMs }: KnockCommand): Promise<KnockResult> {
  const times = new Latencies()
  const start = performance.now()
  let [refused, lost] = [0, 0]
  const one = async (key: string, nth: number): Promise<void> => {
    await sleep((spreadMs * nth) / keys.length)
    const began = performance.now()
    for (let backoff = BACKOFF.firstMs; performance.now() - began < GIVE_UP_MS; ) {
      const headers = { ...target.headers, 'AOMI-APP-KEY': key }
      const wait = await enter(crowd, { ...target, headers })
      if (wait === undefined) {
        const took = (performance.now() - began) * 1000
        times.add(took)
        crowd.took(took)
        return crowd.came()
      }
      refused += 1
      await sleep(Math.max(wait, Math.random() * backoff))
      backoff = Math.min(backoff * 2, BACKOFF.mostMs)
    }
    lost += 1
  }
  await crowd.orFault(Promise.all(keys.map(one)))
  return { served: times.count, lost, refused, seconds: (performance.now() - start) / 1000, times: times.encode() }
}

/** Undefined: it is in, and stays. Else the milliseconds that the refusal asks for. Rejects when it is refused for good. */
async function enter(crowd: Crowd, target: Target): Promise<number | undefined> {
  try {
    crowd.sessions.push(await LoadSession.open(target, randomUUID(), crowd.nextPlace(target), crowd.sink))
    return undefined
  } catch (thrown) {
    if (thrown instanceof HandshakeRefused && PASSING.includes(thrown.status)) return thrown.retryAfterMs
    throw thrown
  }
}

/** Wrong keys by the clock, from many addresses: every other one has the id of a key that exists. */
export async function guess(crowd: Crowd, { target, keyIds, perSecond, seconds }: GuessCommand): Promise<GuessResult> {
  const answers: Record<string, number> = {}
  const under = new Set<Promise<void>>()
  const start = performance.now()
  let [nth, skipped] = [0, 0]
  for (let now = start; now - start < seconds * 1000; now = performance.now()) {
    for (const due = ((now - start) / 1000) * perSecond; nth < due; nth += 1) {
      if (under.size >= MOST_GUESSES) {
        skipped += 1
        continue
      }
      const isKnown = nth % 2 === 1
      const id = isKnown ? (keyIds[Math.floor(Math.random() * keyIds.length)] ?? '') : text(ID_LENGTH)
      const one = wrong(crowd, target, id).then((status) => {
        const answer = `${status} (${isKnown ? 'known' : 'unknown'} id)`
        answers[answer] = (answers[answer] ?? 0) + 1
        return undefined
      })
      under.add(one)
      void one.finally(() => under.delete(one))
    }
    await sleep(1)
  }
  await Promise.all(under)
  return { answers, skipped, seconds: (performance.now() - start) / 1000 }
}

async function wrong(crowd: Crowd, target: Target, id: string): Promise<string> {
  const from = Math.floor(Math.random() * ADDRESSES)
  const headers = {
    'AOMI-APP-KEY': `sk_live_${id}_${text(SECRET_LENGTH)}`,
    'X-Forwarded-For': `10.${from >> 16}.${(from >> 8) & 255}.${from & 255}`,
    'X-Session-Id': randomUUID(),
  }
  try {
    const socket = await LoadSocket.open(
      { ...target, headers, ...crowd.nextPlace(target) },
      { text: () => {}, close: () => {} },
    )
    socket.destroy()
    return 'let in'
  } catch (thrown) {
    return thrown instanceof HandshakeRefused ? String(thrown.status) : 'cut'
  }
}

/** Of the letters and digits that keys are made of. */
function text(length: number): string {
  return randomBytes(length).toString('hex').slice(0, length)
}
