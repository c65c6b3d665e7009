import { randomUUID } from 'node:crypto'
import { deferred } from '../support/turns.ts'
import { seen } from './counting-reader.ts'
import type { Flood } from './flood.ts'
import { LoadLink, Refused } from './load-link.ts'
import { within } from './watched-server.ts'

/** Sockets that one address tries to open above its limit. */
const SOCKETS = { short: 1000, full: 10_000 } as const
/** Tries at once: a listening socket's queue holds 511. */
const AT_ONCE = 400
/** The default of PARLEY_CONNECTIONS_PER_ADDRESS. */
const LIMIT = 200
const ANSWER_MS = 5000
const CROWD = '198.51.100.7'
const OTHER = '198.51.100.8'

/** One address takes all of its places and asks for thousands more: refused with a time; those that are in stay, others get in. */
export async function crowdOneAddress(flood: Flood): Promise<void> {
  const { server, size, count, notes } = flood
  const members = await Promise.all(Array.from({ length: LIMIT }, () => Member.enter(server.port, CROWD)))
  const refusals = new Map<string, number>()
  const tries = count ?? SOCKETS[size]
  let left = tries
  const press = async (): Promise<void> => {
    while (left-- > 0) {
      const why = await refusalOf(server.port)
      refusals.set(why, (refusals.get(why) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, press))
  for (const [why, times] of refusals) notes.add(`tries above the limit, ${why}`, times)
  const other = [...refusals].filter(([why]) => why !== '429 with Retry-After')
  for (const [why, times] of other) notes.broken(`${times} of ${tries} tries above the limit: ${why}`)
  for (const member of members) member.ask()
  await within(ANSWER_MS, () => members.every(({ answered }) => answered))
  const served = members.filter(({ answered }) => answered).length
  notes.add(`members answered of ${LIMIT}`, served)
  if (served < LIMIT) notes.broken(`${LIMIT - served} of those who were in were not answered any more`)
  await expectPlaces(flood, members)
  for (const member of members) member.link?.destroy()
}

/** The place of one that leaves is free, once; another address has its own. */
async function expectPlaces({ server, notes }: Flood, members: Member[]): Promise<void> {
  members.pop()?.link?.destroy()
  let last = ''
  const entered = await within(ANSWER_MS, async () => {
    last = await refusalOf(server.port, (link) => members.push(new Member(link)))
    return last === 'let in'
  })
  if (!entered) notes.broken(`the place of one that left was not free: ${last}`)
  const next = await refusalOf(server.port)
  if (next !== '429 with Retry-After') notes.broken(`the place of one that left was free twice: ${next}`)
  const other = await Member.enter(server.port, OTHER)
  other.ask()
  if (!(await within(ANSWER_MS, () => other.answered))) notes.broken('another address was not served')
  other.link?.destroy()
}

async function refusalOf(port: number, entered: (link: LoadLink) => void = (link) => link.destroy()): Promise<string> {
  try {
    entered(await LoadLink.open(targetOf(port, CROWD), { text: () => {}, closed: () => {} }))
    return 'let in'
  } catch (thrown) {
    if (!(thrown instanceof Refused)) return String(thrown)
    return `${thrown.status} ${Number(thrown.retryAfter) > 0 ? 'with' : 'without'} Retry-After`
  }
}

function targetOf(port: number, address: string) {
  return { port, path: `/ws?session=${randomUUID()}`, headers: { 'X-Forwarded-For': address } }
}

/** One that was let in. */
class Member {
  link: LoadLink | undefined
  answered = false

  constructor(link?: LoadLink) {
    this.link = link
  }

  static async enter(port: number, address: string): Promise<Member> {
    const member = new Member()
    const { promise: ready, resolve, reject } = deferred()
    const hear = (text: string): void => {
      const frame = seen(text)
      if (frame.type === 'session.ready') resolve()
      if (frame.type === 'ack' && frame.ref === 'alive') member.answered = true
    }
    const closed = (): void => reject(new Error('closed before it was ready'))
    member.link = await LoadLink.open(targetOf(port, address), { text: hear, closed })
    await ready
    return member
  }

  ask(): void {
    this.link?.send({ type: 'history.get', id: 'alive', limit: 1 })
  }
}
