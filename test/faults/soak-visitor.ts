import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Event } from '../../src/protocol/events.ts'
import type { Dice } from '../support/dice.ts'
import { LiveClient } from '../support/live-server.ts'

export type Operation = 'connect' | 'run' | 'cancel' | 'retry' | 'reconnect' | 'delete'
export type Operations = Record<Operation, number>

/** A conversation as its person saw it: what the store has to say of it after it left memory. */
export type Transcript = { readonly session: string; readonly said: readonly string[] }

const PROMPTS = ['text', 'tools', 'reasoning'] as const
const MAX_RUNS = 3
const CANCELS = 0.2
const RETRIES = 0.15
const RECONNECTS = 0.3
const DELETES = 0.3
/** Of one deletion, while the store is held up. */
const MAX_TRIES = 5
const MS_PER_SECOND = 1000
const HTTP_NO_CONTENT = 204
const HTTP_NOT_FOUND = 404

/** One person: a session of its own, some runs with all that people do to them, gone again. */
export class Visitor {
  readonly #port: number
  readonly #dice: Dice
  readonly #done: Operations
  readonly #session = randomUUID()
  readonly #said: string[] = []

  constructor(port: number, dice: Dice, done: Operations) {
    this.#port = port
    this.#dice = dice
    this.#done = done
  }

  /** Gives what was said, unless the session was deleted. */
  async visit(): Promise<Transcript | undefined> {
    let client = await this.#connect()
    for (let runs = 1 + this.#dice.below(MAX_RUNS); runs > 0; runs--) {
      await (this.#dice.chance(CANCELS) ? this.#cancelled(client) : this.#run(client))
      if (this.#dice.chance(RETRIES)) await this.#retry(client)
      if (!this.#dice.chance(RECONNECTS)) continue
      // No close frame: the server meets a cut, and the client comes back with its cursor.
      client.socket.terminate()
      await client.socket.closed
      client = await this.#connect(client.cursor)
      this.#done.reconnect++
    }
    await client.leave()
    if (!this.#dice.chance(DELETES)) return { session: this.#session, said: this.#said }
    await remove(this.#port, this.#session)
    this.#done.delete++
    return undefined
  }

  async #connect(cursor?: string): Promise<LiveClient> {
    this.#done.connect++
    return LiveClient.connect(this.#port, this.#session, cursor)
  }

  async #run(client: LiveClient): Promise<void> {
    const before = client.events.length
    const content = this.#dice.pick(PROMPTS)
    await client.ask(content)
    this.#keep(content, client.events.slice(before))
  }

  async #cancelled(client: LiveClient): Promise<void> {
    const before = client.events.length
    client.send({ type: 'message.send', clientMessageId: randomUUID(), content: 'long' })
    await client.event('TEXT_MESSAGE_CONTENT')
    client.send({ type: 'run.cancel' })
    await client.end()
    this.#done.cancel++
    this.#keep('long', client.events.slice(before))
  }

  /** The last run again: its answer takes the place of the one before. */
  async #retry(client: LiveClient): Promise<void> {
    const started = client.events.filter((event) => event.type === 'RUN_STARTED').at(-1)
    if (started === undefined) return
    const before = client.events.length
    client.send({ type: 'run.retry', runId: started.runId })
    await client.end()
    this.#done.retry++
    const prompt = this.#said.at(-2) ?? ''
    this.#said.splice(-2)
    this.#keep(prompt, client.events.slice(before))
  }

  #keep(content: string, events: readonly Event[]): void {
    this.#done.run++
    this.#said.push(content, textOf(events))
  }
}

function textOf(events: readonly Event[]): string {
  return events.map((event) => (event.type === 'TEXT_MESSAGE_CONTENT' ? event.delta : '')).join('')
}

/** The conversation as a client that comes anew is shown it, each person's message followed by all of its answer. */
export async function readBack(port: number, session: string): Promise<string[]> {
  const client = await LiveClient.connect(port, session)
  const { messages } = await client.control('session.snapshot')
  const said: string[] = []
  for (const message of messages) {
    if (message.role === 'user') said.push(message.content, '')
    if (message.role === 'assistant') said.push((said.pop() ?? '') + (message.content ?? ''))
  }
  await client.leave()
  return said
}

/** Deletes a session; asks again when the server says so. */
async function remove(port: number, session: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { status, retryAfterMs } = await sendDelete(port, session)
    // Gone as well: by one that was answered too late to be told.
    if (status === HTTP_NO_CONTENT || (tries > 1 && status === HTTP_NOT_FOUND)) return
    if (retryAfterMs === 0 || tries === MAX_TRIES) throw new Error(`DELETE answered ${status}, try ${tries}`)
    await sleep(retryAfterMs)
  }
}

function sendDelete(port: number, session: string): Promise<{ status: number; retryAfterMs: number }> {
  const path = `/v1/sessions/${session}?app=default`
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method: 'DELETE', agent: false }, (response) => {
      const retryAfterMs = Number(response.headers['retry-after'] ?? 0) * MS_PER_SECOND
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode ?? 0, retryAfterMs }))
    })
    sent.on('error', reject).end()
  })
}
