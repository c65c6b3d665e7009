import { type AccessSettings, createAccess, type RunningAccess } from './access/access.ts'
import { Hosts } from './access/hosts.ts'
import { mintKey, type Prove } from './access/keys.ts'
import { createActLimit } from './access/limits.ts'
import { plainNetwork } from './access/networks.ts'
import { createVault } from './access/vault.ts'
import { createWalletProofs } from './access/wallet-proofs.ts'
import { createDoor } from './admin/actors.ts'
import { createAdmin } from './admin/admin.ts'
import { Audit } from './admin/audit.ts'
import { createSessionAdmin } from './admin/sessions.ts'
import { serverLimits } from './apps/app-limits.ts'
import { buildDefaultApp } from './apps/default-app.ts'
import { parseDefinition } from './apps/definition.ts'
import { appJsonSchema } from './apps/json-schema.ts'
import { createApps, type RunningApps } from './apps/registry.ts'
import { Retention } from './apps/retention.ts'
import { Chat } from './chat/chat.ts'
import { MemoryEventLog } from './chat/log/memory-log.ts'
import type { ChatSettings } from './chat/settings.ts'
import { createHttp, type HttpParts } from './http/app.ts'
import type { AccountStore } from './ports/accounts.ts'
import type { AdminStore } from './ports/admin-store.ts'
import type { DocumentSearch } from './ports/documents.ts'
import type { KeyStore } from './ports/keys.ts'
import type { PrivacyStore, SessionExports } from './ports/privacy.ts'
import type { Providers } from './ports/provider.ts'
import type { SessionDirectory } from './ports/sessions.ts'
import type { AppStore, ChangeFeed, SessionStore } from './ports/store.ts'
import type { Telemetry } from './ports/telemetry.ts'
import type { TicketStore } from './ports/tickets.ts'
import type { Tool } from './ports/tool.ts'
import type { Transport, TransportHandlers } from './ports/transport.ts'
import type { UsageStore } from './ports/usage.ts'
import type { Vault, VaultStore } from './ports/vault.ts'
import { createTools, type MakeHttpTool, type McpTools } from './tools/registry.ts'
import { createDocumentSearch } from './tools/search-documents.ts'

/** What a server is assembled from. `main` names the adapters; tests and the bench bring their own. */
export type ServerPorts = {
  readonly store: SessionStore & KeyStore & AccountStore & UsageStore & TicketStore & VaultStore & AppStore & ChangeFeed
  /** The same store as administration sees it, and for how many milliseconds acts are kept; absent: nothing is administered over HTTP. */
  readonly administration?: { readonly reads: AdminStore; readonly auditKeepMs: number }
  /** What seals people's secrets, 32 bytes; absent: a key in the store. */
  readonly sealingKey?: Uint8Array
  /** Absent: no App has documents. */
  readonly documents?: DocumentSearch
  /** Exports, and the retention of Apps, applied every so many milliseconds. Absent: neither. */
  readonly privacy?: { readonly store: PrivacyStore; readonly retentionMs: number }
  readonly providers: Providers
  /** Every tool that Apps may name; the `default` App has all of them. */
  readonly tools: readonly Tool[]
  /** Absent: Apps have no tools of their own. */
  readonly httpTool?: MakeHttpTool
  /** Absent: Apps have no tools of MCP servers. Closed with the server. */
  readonly mcp?: McpTools
  /** Absent: on the threads that Node keeps for such things. */
  readonly prove?: Prove
  readonly telemetry: Telemetry
  readonly metricsText: () => Promise<string>
  /** Makes the transport around the handlers; called once. */
  readonly transport: (handlers: TransportHandlers) => Transport
  /** The folder of what browsers load. */
  readonly assets: string
  readonly settings: ServerSettings
}

export type ServerSettings = {
  readonly host: string
  readonly origins: readonly string[]
  readonly metricsPublic: boolean
  /** Clients of Aomi may list the sessions of any wallet that they name. */
  readonly walletList: boolean
  readonly access: AccessSettings
  readonly chat: ChatSettings
  readonly models: ModelSettings
}

export type ModelSettings = {
  readonly default: string
  readonly others: readonly string[]
  readonly fallbacks?: readonly string[]
  readonly outputTokens: number
  readonly contextTokens: number
}

export interface Server {
  /** Resolves with the port in use; 0 asks for any free one. Rejects when the address is taken. */
  listen(port: number): Promise<number>
  /** I12: refuses new work, lets runs go on for `drainMs` at most, saves what is left, closes every connection. The store stays open. */
  close(drainMs: number): Promise<void>
  /** Ends the wait of a `close` for running answers. */
  hurry(): void
}

const NO_EXPORTS: SessionExports = { async *exportSessions() {} }

function retentionOf({ privacy, store, telemetry }: ServerPorts): Retention | undefined {
  if (privacy === undefined) return undefined
  return new Retention({ apps: store, store: privacy.store, telemetry, everyMs: privacy.retentionMs })
}

/** Assembles the rooms. Nothing listens yet. */
export function createServer(ports: ServerPorts): Server {
  return new AssembledServer(ports)
}

class AssembledServer implements Server {
  readonly #ports: ServerPorts
  readonly #apps: RunningApps
  readonly #access: RunningAccess
  readonly #chat: Chat
  readonly #transport: Transport
  readonly #retention: Retention | undefined
  #draining = false

  constructor(ports: ServerPorts) {
    this.#ports = ports
    const { store, telemetry, settings } = ports
    const hosts = new Hosts({ host: settings.host, origins: settings.origins })
    this.#apps = createApps({ store, changes: store, defaults: appDefaults(settings.models), ...builtinApp(ports) })
    store.subscribe((change) => {
      if (change.kind === 'app') ports.mcp?.changed(change.id)
    })
    this.#access = createAccess({
      keys: store,
      accounts: store,
      usage: store,
      apps: this.#apps,
      changes: store,
      hosts,
      telemetry,
      prove: ports.prove,
      settings: settings.access,
    })
    const vault = createVault(store, ports.sealingKey)
    this.#chat = new Chat({
      store,
      log: new MemoryEventLog(settings.chat.log),
      providers: ports.providers,
      tools: createTools(allTools(ports), ports.httpTool, ports.mcp),
      apps: this.#apps,
      access: this.#access,
      own: vault,
      telemetry,
      settings: settings.chat,
      broadcast: (group, text) => this.#transport.broadcast(group, text),
      now: Date.now,
    })
    this.#retention = retentionOf(ports)
    this.#transport = ports.transport({
      upgrade: (request) => this.#chat.handshake(request),
      fetch: createHttp(this.#http(hosts, vault)),
    })
  }

  #http(hosts: Hosts, vault: Vault): HttpParts {
    const { store, settings, telemetry, providers, privacy, metricsText, assets } = this.#ports
    return {
      metricsText,
      metricsPublic: settings.metricsPublic,
      walletList: settings.walletList,
      assets,
      appSchema: appJsonSchema,
      isKnownHost: (host) => hosts.isKnown(host),
      requireHttps: settings.access.requireHttps,
      ...administrationOf(this.#ports, this.#chat.directory),
      access: this.#access,
      apps: this.#apps,
      sessions: this.#chat.directory,
      exports: privacy?.store ?? NO_EXPORTS,
      conversations: this.#chat.conversations,
      changes: store,
      vault,
      wallets: createWalletProofs(store),
      ownKeyProviders: providers.takingKeys ?? [],
      ready: () => this.#ready(),
      telemetry,
    }
  }

  listen(port: number): Promise<number> {
    return this.#transport.listen(this.#ports.settings.host, port)
  }

  async close(drainMs: number): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    await Promise.all([this.#chat.drain(drainMs), this.#retention?.close()])
    this.#transport.stopListening()
    await this.#transport.close()
    await Promise.all([this.#access.close(), this.#ports.mcp?.close()])
    this.#apps.close()
  }

  hurry(): void {
    this.#chat.hurry()
  }

  /** Why this process should get no traffic. */
  async #ready(): Promise<readonly string[]> {
    const store = await this.#ports.store.ping().then(
      () => [],
      () => ['store_unavailable'],
    )
    return [...(this.#draining ? ['draining'] : []), ...store]
  }
}

/** What `/v1/admin` does, on the one store. */
function administrationOf({ store, administration, privacy, settings }: ServerPorts, directory: SessionDirectory) {
  if (administration === undefined) return {}
  const { reads, auditKeepMs } = administration
  const { plans } = settings.access
  const limits = serverLimits(settings)
  const admin = createAdmin({ store, reads, limits, plans, auditKeepMs, parseDefinition, mintKey, plainNetwork })
  const audit = new Audit(reads, auditKeepMs)
  return {
    administration: {
      door: createDoor({ keys: store, admitAct: createActLimit() }),
      admin,
      sessions: createSessionAdmin({ store, reads, exports: privacy?.store ?? NO_EXPORTS, directory, audit }),
    },
  }
}

function appDefaults({ outputTokens, contextTokens }: ModelSettings) {
  return { maxOutputTokens: outputTokens, contextTokens }
}

/** With the one that Apps have by their documents, not by name. */
function allTools({ tools, documents }: ServerPorts): readonly Tool[] {
  return documents === undefined ? tools : [...tools, createDocumentSearch(documents)]
}

function builtinApp({ settings, tools }: ServerPorts) {
  if (!settings.access.defaultApp) return {}
  const { default: model, others, fallbacks } = settings.models
  return {
    builtin: buildDefaultApp({
      model,
      others,
      ...(fallbacks !== undefined && { fallbacks }),
      tools: tools.map(({ spec }) => spec.name),
      ...appDefaults(settings.models),
    }),
  }
}
