import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { QuietProofs } from './access/quiet-proofs.ts'
import { type Config, ConfigError, readConfig, unknownNames } from './config.ts'
import { Log } from './log.ts'
import type { Provider, Providers } from './ports/provider.ts'
import type { Telemetry } from './ports/telemetry.ts'
import type { TlsFiles, TransportOptions } from './ports/transport.ts'
import { tuneCollector } from './process/collector.ts'
import { endWhenBroken, outliveReaders, signals } from './process/ends.ts'
import { OpenFiles, roomForConnections } from './process/open-files.ts'
import { ParleyError } from './protocol/errors.ts'
import { MAX_READABLE_FRAME_BYTES } from './protocol/limits.ts'
import { createAnthropic } from './providers/anthropic.ts'
import { createOpenAi } from './providers/openai.ts'
import { createProviders } from './providers/registry.ts'
import { createScripted } from './providers/scripted.ts'
import { createServer, type ServerSettings } from './server.ts'
import { type OpenedStorage, openStorage, type StorageOptions } from './storage/open.ts'
import { BUILTIN_TOOLS } from './tools/builtin.ts'
import { createHttpTools } from './tools/http/http-tool.ts'
import { createMcpTools } from './tools/mcp/mcp-tools.ts'
import { readCertificate } from './transports/certificate.ts'
import { CertificateWatch } from './transports/certificate-watch.ts'
import { type ChosenTransport, chooseTransport } from './transports/choose.ts'

/** Upstream requests at once; each holds a socket and a buffer. More is refused as overloaded. */
const MAX_UPSTREAM_REQUESTS = 1000
const WEB_SOCKET_PATH = '/ws'

/** A server that listens. */
export type Running = {
  readonly url: string
  /** What a person who started it wants to know, a line each. */
  readonly lines: readonly string[]
  /** Drains, saves, closes the store and, last, the embedded database (I12). Asked again with 0: the drain waits no longer. */
  close(drainMs?: number): Promise<void>
  /** Writes why the process ends, behind all lines of the log before it. */
  lastWord(thrown: unknown): Promise<void>
}

/** Starts everything that `config` names. What was started is stopped again when a later part fails. */
export async function start(config: Config): Promise<Running> {
  const log = new Log({ level: config.server.logLevel })
  const tls = tlsOf(config)
  // Before a database is started for nothing.
  if (tls !== undefined) readCertificate(tls)
  const transport = await chooseTransport(config.server.transport, config.server.headerBytes)
  // Their SDKs load while a database starts.
  const providers = createProviders(providersOf(config, log))
  const storage = await openStorage(storageOptions(config), log)
  try {
    return await listen(config, log, { storage, transport, providers })
  } catch (thrown) {
    await storage.close()
    throw thrown
  }
}

type Parts = { readonly storage: OpenedStorage; readonly transport: ChosenTransport; readonly providers: Providers }

async function listen(config: Config, log: Log, { storage, transport, providers }: Parts): Promise<Running> {
  const proofs = new QuietProofs({ most: config.access.hashesAtOnce })
  const server = createServer({
    prove: proofs.prove,
    store: storage.store,
    administration: { reads: storage.store, auditKeepMs: config.access.auditKeepMs },
    documents: storage.store,
    privacy: { store: storage.store, retentionMs: config.store.retentionMs },
    providers,
    tools: BUILTIN_TOOLS,
    httpTool: createHttpTools(config.tools),
    mcp: createMcpTools({ ...config.tools, ...config.mcp, telemetry: log }),
    telemetry: log,
    metricsText: () => log.metricsText(),
    transport: (handlers) => transport.create(handlers, transportOptions(config), log),
    assets: fileURLToPath(new URL('./public/', import.meta.url)),
    sealingKey: sealingKeyOf(config),
    settings: serverSettings(config),
  })
  const port = await server.listen(config.server.port)
  const tls = tlsOf(config)
  const certificate = tls && new CertificateWatch(tls, log)
  const files = new OpenFiles(log)
  const { host } = config.server
  const url = `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  let closing: Promise<void> | undefined
  const closeAll = async (drainMs: number): Promise<void> => {
    certificate?.close()
    await server.close(drainMs)
    files.close()
    await proofs.close()
    await storage.close()
    await log.flush()
  }
  return {
    url,
    lines: [...startLines(config, url, storage, transport), ...(certificate?.lines ?? [])],
    close: (drainMs = config.chat.drainMs) => {
      if (closing !== undefined && drainMs === 0) server.hurry()
      closing ??= closeAll(drainMs)
      return closing
    },
    lastWord: (thrown) => {
      log.log('error', 'process ends', {}, thrown)
      return log.flush()
    },
  }
}

function storageOptions({ server, store }: Config): StorageOptions {
  const databaseUrl = server.databaseUrl?.reveal()
  return { databaseUrl, dataDir: resolve(server.dataDir), poolSize: store.pool, env: process.env }
}

/** All are there: one without a key of the operator answers those who bring their own. */
function providersOf({ models }: Config, telemetry: Telemetry): Provider[] {
  const { anthropicApiKey, anthropicBaseUrl, openaiApiKey, openaiBaseUrl } = models
  const common = { maxConcurrent: MAX_UPSTREAM_REQUESTS, telemetry }
  return [
    createAnthropic({ baseURL: anthropicBaseUrl, apiKey: anthropicApiKey?.reveal(), ...common }),
    createOpenAi({ baseURL: openaiBaseUrl, apiKey: openaiApiKey?.reveal(), ...common }),
    createScripted({ tokensPerSecond: models.scriptedTokensPerSecond }),
  ]
}

function sealingKeyOf({ access: { secretsKey } }: Config): Uint8Array | undefined {
  return secretsKey && Buffer.from(secretsKey.reveal(), 'base64')
}

function transportOptions(config: Config): TransportOptions {
  const { server, chat } = config
  return {
    webSocketPath: WEB_SOCKET_PATH,
    maxReadableFrameBytes: MAX_READABLE_FRAME_BYTES,
    maxBufferedBytes: chat.outboxBytes * 2,
    handshakeTimeoutMs: server.handshakeMs,
    maxHeaderBytes: server.headerBytes,
    maxBodyBytes: server.bodyBytes,
    tls: tlsOf(config),
  }
}

function tlsOf({ server: { tlsCertFile, tlsKeyFile } }: Config): TlsFiles | undefined {
  if (tlsCertFile === undefined || tlsKeyFile === undefined) return undefined
  return { certFile: resolve(tlsCertFile), keyFile: resolve(tlsKeyFile) }
}

function serverSettings(config: Config): ServerSettings {
  const { server, access, models, chat, log } = config
  return {
    host: server.host,
    origins: access.origins,
    metricsPublic: server.metrics === 'public',
    walletList: access.walletList,
    access,
    chat: { ...chat, log, connections: server.connections ?? roomForConnections() },
    models: {
      default: models.default,
      others: models.others,
      fallbacks: models.fallbacks,
      outputTokens: models.outputTokens,
      contextTokens: models.contextTokens,
    },
  }
}

const DEFAULT_APP_HIDDEN =
  '  default App (off without a key: others can reach this server; PARLEY_DEFAULT_APP=on opens it)'

function startLines(config: Config, url: string, storage: OpenedStorage, transport: ChosenTransport): string[] {
  const { models, access } = config
  const demo = models.default.startsWith('scripted/')
  const model = demo
    ? `${models.default}: a script for trying things out, not an AI; ANTHROPIC_API_KEY or OPENAI_API_KEY turns a real model on`
    : [models.default, ...models.fallbacks].join(', else ')
  return [
    `Parley is ready: ${url}`,
    `  store      ${storage.description}`,
    `  model      ${model}`,
    ...providerLines(models),
    `  transport  ${transport.description}`,
    ...(access.defaultAppHidden ? [DEFAULT_APP_HIDDEN] : []),
  ]
}

/** The real ones that Apps may name, with the host of one that is not its maker's: an address may hold more than may be shown. */
function providerLines({ anthropicApiKey, anthropicBaseUrl, openaiApiKey, openaiBaseUrl }: Config['models']): string[] {
  const at = (url: string | undefined): string => (url === undefined ? '' : ` at ${new URL(url).host}`)
  const names = [
    ...(anthropicApiKey === undefined ? [] : [`anthropic${at(anthropicBaseUrl)}`]),
    ...(openaiApiKey === undefined && openaiBaseUrl === undefined ? [] : [`openai${at(openaiBaseUrl)}`]),
  ]
  return names.length === 0 ? [] : [`  providers  ${names.join(', ')}`]
}

/** `npm start` and `parley serve`: runs until a signal; a second signal ends the wait for running answers. */
export async function serve(env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<void> {
  outliveReaders()
  const config = readConfig(env)
  // Heard from the first moment on: a signal during the start must not leave the database behind.
  const [first, second] = signals()
  // The first waits for the start, so that nothing is left behind; who gives a second has waited long enough.
  const hurry = second.then(() => Promise.reject(new Error('told to stop twice')))
  const running = await Promise.race([start(config), hurry])
  endWhenBroken((thrown) => running.lastWord(thrown))
  for (const line of running.lines) say(line)
  for (const name of unknownNames(env)) say(`  note       ${name} is not a setting of Parley`)
  await first
  say('Parley is stopping: running answers may end, a second signal stops them')
  void second.then(() => running.close(0))
  await running.close()
}

/** The sentence for people; the cause's own words stay inside, as they may quote an address with its password. */
function explain(thrown: unknown): string {
  return thrown instanceof ConfigError || thrown instanceof ParleyError
    ? thrown.message
    : `the server could not start: ${thrown instanceof Error ? thrown.message : 'unknown'}`
}

if (basename(process.argv[1] ?? '') === 'main.js') {
  tuneCollector()
  serve(process.env, (line) => void process.stdout.write(`${line}\n`)).then(
    () => process.exit(0),
    (thrown: unknown) => {
      process.stderr.write(`${explain(thrown)}\n`)
      process.exit(1)
    },
  )
}
