import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import type { Dice } from '../support/dice.ts'
import { CountingReader } from './counting-reader.ts'
import type { Flood } from './flood.ts'
import { LoadLink, Refused } from './load-link.ts'

const APP = { id: 'guarded', name: 'Guarded', preamble: '', model: { default: 'scripted/demo' }, tools: [] }
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const SECRET_LENGTH = 32
const ID_LENGTH = 12
const Minted = v.object({ secret: v.string() })
/** Attackers at once; each asks again as soon as it was answered. */
const ATTACKERS = 32
/** Addresses that they come from: so many that the limit per key and address hides nothing. */
const ADDRESSES = 60_000
/**
 * Keys whose ids the attackers know; the first one's owner is connected. The last ones have no tag, as keys that nobody used
 * since there are tags: each guess at them has to be hashed, and so would be those of attackers who know a tag.
 */
const [GUESSED, TAGLESS] = [4, 2]
/** Keys that are used for the first time in the middle of it, one after the other. */
const NEW_KEYS = { short: 4, full: 30 } as const
/** Milliseconds in which a new key is to get in, and in what share of the tries. */
const LET_IN_MS = 2000
const SHARE = 0.9
/** Milliseconds between two tries where the refusal names no time. */
const TRY_MS = 100
/** The default of PARLEY_KEY_HASHES_AT_ONCE, at 24 ms of CPU each; a second has room for no more than this on any core. */
const MAX_HASHES_PER_SECOND = 2000 / 10

/** Guesses at keys that exist and at keys that do not: few hashes, quick refusals, and the owners of keys get in. */
export async function guessKeys({ server, size, dice, notes, openDatabase }: Flood): Promise<void> {
  const minted = await mintKeys(server, GUESSED + NEW_KEYS[size])
  const [held = ''] = minted
  const guessed = minted.slice(0, GUESSED).map((key) => key.split('_')[2] ?? '')
  const fresh = minted.slice(GUESSED)
  const hashed = guessed.slice(-TAGLESS)
  await takeTags(openDatabase, hashed)
  const owner = await CountingReader.start(server.port, { 'X-API-Key': held }, APP.id)
  const attack = new Attack(server.port, { guessed, hashed }, dice)
  const started = performance.now()
  const attackers = Array.from({ length: ATTACKERS }, () => attack.go())
  const waits: number[] = []
  for (const key of fresh) waits.push(await enter(server.port, key))
  const seconds = (performance.now() - started) / 1000
  attack.over = true
  await Promise.all(attackers)
  const counted = owner.count
  for (const fault of await owner.stop()) notes.broken(`the owner of the key that is guessed at: ${fault}`)
  for (const [answer, times] of attack.answers) notes.add(`guesses answered ${answer}`, times)
  notes.add('guesses refused by their tag a second', (attack.told / seconds).toFixed(0))
  notes.add('guesses a second', (attack.total / seconds).toFixed(0))
  notes.add(`hashes a second (at most ${MAX_HASHES_PER_SECOND})`, (attack.hashed / seconds).toFixed(0))
  notes.add(`new keys let in after, ms (of ${fresh.length})`, waits.map((ms) => ms.toFixed(0)).join(' '))
  notes.add('numbers that the owner of the guessed key was told meanwhile', counted)
  const inTime = waits.filter((ms) => ms <= LET_IN_MS).length
  if (inTime < fresh.length * SHARE) notes.broken(`${inTime} of ${fresh.length} new keys got in within ${LET_IN_MS} ms`)
  for (const answer of attack.answers.keys())
    if (!['401', '429', '503'].includes(answer)) notes.broken(`guesses were answered ${answer}`)
  if (attack.hashed / seconds > MAX_HASHES_PER_SECOND)
    notes.broken(`${attack.hashed} guesses were hashed in ${seconds.toFixed(1)} s`)
  if (attack.told === 0 || attack.hashed === 0) notes.broken('nobody guessed')
}

/** Over HTTP but for the first: each `parley` command is a process of its own. */
async function mintKeys({ process }: Flood['server'], count: number): Promise<string[]> {
  const file = process.path('app.json')
  await writeFile(file, JSON.stringify(APP))
  await process.command('apps', 'put', file)
  const admin = await process.command('keys', 'create', '--app', APP.id, '--scopes', 'read,write,delete,admin')
  const headers = { 'X-API-Key': admin, 'Content-Type': 'application/json' }
  const body = JSON.stringify({ apps: [APP.id] })
  const keys: string[] = []
  while (keys.length < count) {
    const answer = await fetch(`${process.url}/v1/admin/keys`, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(`No key was made: ${answer.status} ${await answer.text()}`)
    keys.push(v.parse(Minted, await answer.json()).secret)
  }
  return keys
}

async function takeTags(openDatabase: Flood['openDatabase'], ids: readonly string[]): Promise<void> {
  const database = await openDatabase()
  try {
    const { sql } = database
    await sql`update keys set tag = null where id in ${sql(ids)}`
  } finally {
    await database.close()
  }
}

/** A client that comes back as the refusal says; gives the milliseconds until it was let in. */
async function enter(port: number, key: string): Promise<number> {
  const started = performance.now()
  while (performance.now() - started < 2 * LET_IN_MS) {
    try {
      const headers = { 'X-API-Key': key, 'X-Forwarded-For': '203.0.113.9' }
      const target = { port, path: `/ws?app=${APP.id}&session=${randomUUID()}`, headers }
      const link = await LoadLink.open(target, { text: () => {}, closed: () => {} })
      link.destroy()
      return performance.now() - started
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw thrown
      await sleep(TRY_MS)
    }
  }
  return Number.POSITIVE_INFINITY
}

/** Ids: of keys that are guessed at, and those of them that have no tag. */
type Guessed = { readonly guessed: readonly string[]; readonly hashed: readonly string[] }

class Attack {
  readonly answers = new Map<string, number>()
  over = false
  total = 0
  /** Wrong secrets of keys without a tag that were answered 401: each cost a hash. */
  hashed = 0
  /** The same of keys with one: they cost none. */
  told = 0
  readonly #port: number
  readonly #keys: Guessed
  readonly #dice: Dice

  constructor(port: number, keys: Guessed, dice: Dice) {
    this.#port = port
    this.#keys = keys
    this.#dice = dice
  }

  async go(): Promise<void> {
    while (!this.over) {
      const known = this.#dice.chance(0.7)
      // Some come from one address, as a careless attacker; most from anywhere.
      const from = this.#dice.chance(0.2) ? 0 : this.#dice.below(ADDRESSES)
      const id = known ? this.#known() : this.#text(ID_LENGTH)
      const answer = await this.#guess(id, from)
      this.total++
      if (known && answer === '401') {
        if (this.#keys.hashed.includes(id)) this.hashed++
        else this.told++
      }
      this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1)
    }
  }

  #known(): string {
    return this.#keys.guessed[this.#dice.below(this.#keys.guessed.length)] ?? ''
  }

  async #guess(id: string, from: number): Promise<string> {
    const headers = {
      'X-API-Key': `sk_live_${id}_${this.#text(SECRET_LENGTH)}`,
      'X-Forwarded-For': `10.${from >> 16}.${(from >> 8) & 255}.${from & 255}`,
    }
    try {
      const target = { port: this.#port, path: `/ws?app=${APP.id}&session=${randomUUID()}`, headers }
      const link = await LoadLink.open(target, { text: () => {}, closed: () => {} })
      link.destroy()
      return 'let in'
    } catch (thrown) {
      return thrown instanceof Refused ? String(thrown.status) : String(thrown)
    }
  }

  #text(length: number): string {
    return Array.from({ length }, () => LETTERS[this.#dice.below(LETTERS.length)]).join('')
  }
}
