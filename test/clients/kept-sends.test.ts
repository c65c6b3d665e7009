import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createParleyClient, type ParleyClient } from '../../clients/core/client.ts'
import { SessionNotes } from '../../clients/ui/session-notes.ts'
import type { TextStorage } from '../../clients/ui/storage.ts'
import { FakeEnvironment, FakeSession, type FakeSocket, runStarted } from '../support/fake-server.ts'

const SESSION = 'a2b5a30e-5c5a-4d39-9d83-3a1c54d0c8f1'

let environment: FakeEnvironment
let server: FakeSession
let texts: Map<string, string>

beforeEach(() => {
  vi.useFakeTimers({ now: 1_767_225_600_000 })
  environment = new FakeEnvironment()
  server = new FakeSession()
  texts = new Map()
})
afterEach(() => {
  vi.useRealTimers()
})

/** The page as it is after a reload: all that is left of the one before lies in the storage. */
function load(): ParleyClient {
  const storage: TextStorage = {
    get: (name) => texts.get(name),
    set: (name, value) => void (value === undefined ? texts.delete(name) : texts.set(name, value)),
  }
  const kept = new SessionNotes(storage, SESSION)
  return createParleyClient({ url: 'ws://host/ws', app: 'default', sessionId: SESSION, environment, kept })
}

async function connected(client: ParleyClient): Promise<FakeSocket> {
  client.connect()
  await vi.advanceTimersByTimeAsync(0)
  environment.socket.receive(...server.welcome())
  return environment.socket
}

const shown = (client: ParleyClient): unknown[] =>
  client.state.conversation.sends.map(({ text, delivery }) => [text, delivery.state])

describe('a message that the server has yet to take', () => {
  it('outlives the page: written without a connection, it goes out after a reload', async () => {
    const first = load()
    first.send('one')
    first.send('two')
    first.close()
    const second = load()
    expect(shown(second)).toEqual([
      ['one', 'waiting'],
      ['two', 'waiting'],
    ])
    const socket = await connected(second)
    expect(socket.commands('message.send')).toMatchObject([
      { clientMessageId: 'm1', content: 'one' },
      { clientMessageId: 'm2', content: 'two' },
    ])
  })

  it('goes out again under its id when the page went before the acknowledgement, and not when it is shown', async () => {
    const first = load()
    await connected(first)
    first.send('one')
    first.close()
    const second = load()
    const socket = await connected(second)
    expect(socket.commands('message.send')).toMatchObject([{ clientMessageId: 'm1', content: 'one' }])
    server.emit(runStarted('r1', 'm1', 'one'))
    second.close()
    const third = load()
    expect((await connected(third)).commands('message.send')).toEqual([])
    expect(shown(third)).toEqual([])
  })

  it('is forgotten once it is acknowledged or discarded', async () => {
    const client = load()
    const socket = await connected(client)
    client.send('one')
    expect(texts.size).toBe(1)
    socket.receive({ type: 'ack', clientMessageId: 'm1', runId: 'r1', state: 'started', duplicate: false })
    expect(texts.size).toBe(0)
    client.send('two')
    client.discard('m2')
    expect(texts.size).toBe(0)
  })

  it('that was refused is there after a reload, with the reason, and is not sent by itself', async () => {
    const first = load()
    const socket = await connected(first)
    first.send('one')
    const error = { code: 'store_unavailable', message: 'No', retryable: true }
    socket.receive({ type: 'error', clientMessageId: 'm1', ...error })
    first.close()
    const second = load()
    expect(second.state.conversation.sends).toMatchObject([{ delivery: { state: 'failed', ...error } }])
    expect((await connected(second)).commands('message.send')).toEqual([])
  })

  it.each(['not JSON', '{}', '[{"id":1}]', 'null'])('is none where the storage holds %s', (text) => {
    texts.set(`parley.sends.${SESSION}`, text)
    expect(shown(load())).toEqual([])
  })
})
