import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Hosts } from '../../src/access/hosts.ts'
import { createVault } from '../../src/access/vault.ts'
import { createWalletProofs } from '../../src/access/wallet-proofs.ts'
import { createHttp } from '../../src/http/app.ts'
import type { Conversations } from '../../src/ports/conversations.ts'
import type { ExportLine } from '../../src/ports/privacy.ts'
import type { SessionDirectory, UserDeletion, UserOwner } from '../../src/ports/sessions.ts'
import type { Owner, SessionChoice, SessionPlace, SessionSummary } from '../../src/ports/store.ts'
import type { Peer } from '../../src/ports/transport.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { type Gate, type GateOptions, openGate } from '../access/fakes.ts'
import { createMemoryStore } from '../support/memory-store.ts'

type Held = SessionSummary & { readonly owner: Owner }

/** Sessions in a map, owned as the port says. */
export class FakeDirectory implements SessionDirectory {
  readonly held = new Map<string, Held>()
  readonly listed: { owner: Owner; limit: number; before: SessionPlace | number | undefined }[] = []
  broken: unknown

  add(id: string, owner: Owner, title?: string): void {
    this.held.set(id, { id, owner, status: 'idle', updatedAt: 1000, ...(title === undefined ? {} : { title }) })
  }

  async list(owner: Owner, limit: number, { before }: SessionChoice = {}): Promise<readonly SessionSummary[]> {
    if (this.broken !== undefined) throw this.broken
    this.listed.push({ owner, limit, before })
    return [...this.held.values()].filter((held) => isSame(held.owner, owner)).slice(0, limit)
  }

  async rename(owner: Owner, sessionId: string, title: string): Promise<void> {
    this.held.set(sessionId, { ...this.#find(owner, sessionId), title })
  }

  async delete(owner: Owner, sessionId: string): Promise<void> {
    this.#find(owner, sessionId)
    this.held.delete(sessionId)
  }

  deleteEmpty(owner: Owner, sessionId: string): Promise<void> {
    return this.delete(owner, sessionId)
  }

  async deleteUser(owner: UserOwner): Promise<UserDeletion> {
    const own = [...this.held.values()].filter((held) => isSame(held.owner, owner))
    for (const { id } of own) this.held.delete(id)
    return { deleted: own.length, complete: true }
  }

  #find(owner: Owner, id: string): Held {
    const held = this.held.get(id)
    if (held === undefined || !isSame(held.owner, owner)) throw new ParleyError('session_not_found')
    return held
  }
}

function isSame(one: Owner, other: Owner): boolean {
  return one.app === other.app && one.account === other.account && one.user === other.user
}

export const SCRIPT = `console.log(${JSON.stringify('x'.repeat(3000))})`

/** A folder as the build leaves it. */
function makeAssets(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-http-'))
  writeFileSync(join(folder, 'page.html'), '<!doctype html><title>Parley</title>')
  writeFileSync(join(folder, 'page.js'), SCRIPT)
  writeFileSync(join(folder, 'page-0A1B2C3D.js'), SCRIPT)
  writeFileSync(join(folder, 'page-messages.js'), SCRIPT)
  writeFileSync(join(folder, 'page.css'), 'body{}')
  writeFileSync(join(folder, 'widget.js'), SCRIPT)
  writeFileSync(join(folder, 'built.js'), SCRIPT)
  writeFileSync(join(folder, 'built.js.br'), 'pretend brotli')
  writeFileSync(join(folder, 'built.js.gz'), gzipSync(SCRIPT))
  writeFileSync(join(folder, 'notes.secret'), 'not for browsers')
  mkdirSync(join(folder, 'deeper'))
  writeFileSync(join(folder, 'deeper', 'hidden.js'), 'x')
  return folder
}

export type Site = Gate & {
  readonly sessions: FakeDirectory
  /** Why the server is not ready. */
  readonly reasons: string[]
  readonly ask: (path: string, init?: RequestInit, peer?: Partial<Peer>) => Promise<Response>
  readonly close: () => Promise<void>
}

export type SiteOptions = GateOptions & { readonly metricsPublic?: boolean; readonly assets?: string }

/** Exports are tested on a whole server. */
async function* exportOf(lines: readonly ExportLine[]): AsyncGenerator<ExportLine, void, undefined> {
  yield* lines
}

/** Projections are tested on a whole server. */
const NO_CONVERSATIONS: Conversations = {
  find: async () => undefined,
  held: () => undefined,
  callTool: async () => undefined,
  open: async () => Promise.reject(new ParleyError('session_not_found')),
  follow: () => () => undefined,
}

/** The real routes on real access control; sessions and store are fakes. */
export function openSite({ metricsPublic = false, assets, ...options }: SiteOptions = {}): Site {
  const gate = openGate(options)
  const [folder, sessions] = [assets ?? makeAssets(), new FakeDirectory()]
  const reasons: string[] = []
  const hosts = new Hosts({ host: options.host ?? '127.0.0.1', origins: options.origins ?? [] })
  const http = createHttp({
    access: gate.access,
    apps: { get: async () => undefined, peek: () => undefined },
    sessions,
    exports: { exportSessions: () => exportOf([]) },
    conversations: NO_CONVERSATIONS,
    changes: { subscribe: () => () => {} },
    vault: createVault(createMemoryStore()),
    wallets: createWalletProofs(createMemoryStore()),
    ownKeyProviders: ['anthropic'],
    telemetry: gate.telemetry,
    ready: async () => reasons,
    metricsText: async () => 'parley_connections 1\n',
    metricsPublic,
    walletList: false,
    isKnownHost: (host) => hosts.isKnown(host),
    assets: folder,
    appSchema: () => ({ title: 'An App' }),
    requireHttps: options.requireHttps ?? false,
  })
  return {
    ...gate,
    sessions,
    reasons,
    async ask(path, init = {}, peer = {}) {
      const headers = new Headers(init.headers)
      if (!headers.has('host')) headers.set('host', '127.0.0.1:8080')
      const request = new Request(`http://127.0.0.1:8080${path}`, { ...init, headers })
      const answer = await http(request, { address: '203.0.113.7', secure: false, ...peer })
      if (answer instanceof Response) return answer
      const { status, headers: pairs, content } = answer
      return new Response(content, { status, headers: pairs.map(([name, value]): [string, string] => [name, value]) })
    },
    async close() {
      await gate.access.close()
      if (assets === undefined) rmSync(folder, { recursive: true })
    },
  }
}
