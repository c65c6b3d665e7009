import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createVault } from '../../../src/access/vault.ts'
import { createWalletProofs } from '../../../src/access/wallet-proofs.ts'
import { aomiRoutes } from '../../../src/http/aomi/routes.ts'
import type { Conversation, Follower, RunFeed, Snapshot } from '../../../src/ports/conversations.ts'
import { toParleyError } from '../../../src/protocol/errors.ts'
import { type Gate, openGate, testApp } from '../../access/fakes.ts'
import { createMemoryStore } from '../../support/memory-store.ts'
import { FakeDirectory } from '../fakes.ts'

const APP = 'alpha'

describe('I9: a key that is revoked while its stream is on the way', () => {
  let gate: Gate
  let key: string
  let revoke: () => Promise<void>
  /** What the session does when it is sent to, and when its App is looked up. */
  let whenSent: () => Promise<void>
  let whenLookedUp: () => Promise<void>
  let followed: Promise<void>
  const happened: string[] = []

  beforeEach(async () => {
    gate = openGate()
    const minted = await gate.addKey('secret')
    key = minted.key
    revoke = async () => {
      const heard = new Promise<void>((resolve) => gate.access.onRevoked(() => resolve()))
      await gate.store.revokeKey(minted.id, Date.now())
      await heard
    }
    whenSent = async () => undefined
    whenLookedUp = async () => undefined
    happened.length = 0
  })
  afterEach(() => gate.access.close())

  const feed: RunFeed = {
    next: async () => undefined,
    close: () => happened.push('feed closed'),
  }

  function conversation(id: string): Conversation {
    const record = { id, app: APP, account: 'acme', status: 'idle' as const, createdAt: 0, updatedAt: 0 }
    const snapshot: Snapshot = { version: '1', record, status: 'idle' }
    const nothing = async () => undefined
    return {
      id,
      owner: { app: APP, account: 'acme' },
      record,
      stored: true,
      begun: true,
      runs: async () => [],
      newestRuns: async () => [],
      snapshot: async () => snapshot,
      send: async () => {
        await whenSent()
        return { runId: randomUUID(), state: 'started', feed }
      },
      answer: nothing,
      cancel: nothing,
      make: nothing,
      update: nothing,
      idle: nothing,
    }
  }

  /** As the real one: who is not admitted is told the end. */
  async function admitted(follower: Follower, id: string): Promise<void> {
    await follower.admit(conversation(id)).catch((thrown: unknown) => follower.ended(toParleyError(thrown)))
  }

  function ask(method: string, path: string, body?: string): Promise<Response> {
    const routes = aomiRoutes({
      access: gate.access,
      apps: {
        get: async (id) => {
          await whenLookedUp()
          return testApp(id)
        },
        peek: () => undefined,
      },
      sessions: new FakeDirectory(),
      conversations: {
        find: async () => undefined,
        held: () => undefined,
        callTool: async () => undefined,
        open: async (id) => conversation(id),
        follow: (id, follower) => {
          followed = admitted(follower, id)
          return () => happened.push('left')
        },
      },
      changes: gate.store,
      vault: createVault(createMemoryStore()),
      wallets: createWalletProofs(createMemoryStore()),
      ownKeyProviders: [],
      walletList: false,
      telemetry: gate.telemetry,
    })
    const headers = { 'x-api-key': key, 'x-session-id': randomUUID(), 'content-type': 'application/json' }
    const init = { method, headers, ...(body === undefined ? {} : { body }) }
    const request = new Request(`http://127.0.0.1:8080${path}`, init)
    return Promise.resolve(routes.fetch(request, { peer: { address: '203.0.113.7', secure: false } }))
  }

  const chat = () => ask('POST', `/api/chat?app=${APP}`, '{"text":"hello"}')

  it('after the message was sent, and before the stream of its answer began: 401, and nothing is heard of it', async () => {
    whenSent = revoke
    expect((await chat()).status).toBe(401)
    expect(happened).toEqual(['feed closed'])
  })

  it('after it was asked for, and before the App was known: the stream of updates ends', async () => {
    whenLookedUp = revoke
    const answer = await ask('GET', '/api/updates')
    await followed
    expect(happened).toEqual(['left'])
    expect(await answer.text()).toBe(': open\n\n')
  })

  it('neither where the key stays', async () => {
    expect((await chat()).status).toBe(200)
    const answer = await ask('GET', '/api/updates')
    await followed
    expect(happened).not.toContain('left')
    await answer.body?.cancel()
  })
})
