import type { Access, AccessRequest, Admission, Grant, Principal, Ticket } from '../ports/access.ts'
import type { AccountStore } from '../ports/accounts.ts'
import type { App, Apps } from '../ports/apps.ts'
import type { KeyStore, Scope } from '../ports/keys.ts'
import type { ChangeFeed, Owner } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import type { TicketStore } from '../ports/tickets.ts'
import type { UsageStore } from '../ports/usage.ts'
import { ParleyError } from '../protocol/errors.ts'
import { DEFAULT_APP } from '../protocol/ids.ts'
import { Addresses } from './addresses.ts'
import { type AllowanceSettings, Allowances } from './allowances.ts'
import { Guesses, type GuessLimits } from './guesses.ts'
import type { Hosts } from './hosts.ts'
import { type Prove, provesSecret, sha256 } from './keys.ts'
import { isWithin } from './networks.ts'
import { checkOrigin, presentedKey } from './presented.ts'
import { ANONYMOUS, holderOf, type Verdict } from './principals.ts'
import { Revocations } from './revocations.ts'
import { type Claims, type TicketSettings, Tickets } from './tickets.ts'
import { Verdicts } from './verdicts.ts'

export type AccessSettings = GuessLimits &
  AllowanceSettings &
  TicketSettings & {
    /** Does the `default` App answer without a credential? */
    readonly defaultApp: boolean
    readonly requireHttps: boolean
    /** IP addresses and networks whose forwarding headers count. */
    readonly trustedProxies: readonly string[]
    /** Proven keys in memory; about 1 KiB each. */
    readonly verdicts: number
  }

export type AccessParts = {
  readonly keys: KeyStore & TicketStore
  readonly accounts: AccountStore
  readonly usage: UsageStore
  readonly apps: Apps
  readonly changes: ChangeFeed
  readonly hosts: Hosts
  readonly telemetry: Telemetry
  /** Default: on the threads that Node keeps for such things. */
  readonly prove?: Prove
  readonly settings: AccessSettings
}

/** `close` stops following changes and notes which keys were used. */
export type RunningAccess = Access & { close(): Promise<void> }

export function createAccess(parts: AccessParts): RunningAccess {
  return new Gate(parts)
}

class Gate extends Allowances implements RunningAccess {
  readonly #apps: Apps
  readonly #hosts: Hosts
  readonly #settings: AccessSettings
  readonly #addresses: Addresses
  readonly #verdicts: Verdicts
  readonly #revocations: Revocations
  readonly #tickets: Tickets
  /** What those came in with whom a ticket let in. */
  readonly #claims = new WeakMap<Principal, Claims>()

  constructor(parts: AccessParts) {
    super(parts)
    const { keys, apps, changes, hosts, telemetry, prove = provesSecret, settings } = parts
    this.#apps = apps
    this.#hosts = hosts
    this.#settings = settings
    this.#addresses = new Addresses(settings.trustedProxies)
    this.#verdicts = new Verdicts(keys, new Guesses(settings), prove, settings.verdicts)
    this.#revocations = new Revocations(keys, changes, this.#verdicts, telemetry)
    this.#tickets = new Tickets(keys, settings)
  }

  // The order of refusals is the protocol's: 401, 404 of the App, 403.
  async identify(request: AccessRequest, app: string): Promise<Principal> {
    const key = presentedKey(request)
    if (key === undefined)
      return request.ticket === undefined
        ? this.#identifyVisitor(request, app)
        : this.#identifyBearer(request.ticket, request, app)
    // Each wait costs a handshake memory and a microtask: none where all is known.
    const found = this.#verdictOn(key, request)
    const verdict = found instanceof Promise ? await found : found
    if (this.#apps.peek(app) === undefined) await this.#findApp(app)
    if (!verdict.apps.has(app)) throw notFor('key', app)
    this.#checkUse(verdict, request)
    return verdict.principal
  }

  async authenticate(request: AccessRequest): Promise<Principal> {
    const key = presentedKey(request)
    if (key === undefined) throw new ParleyError('unauthorized')
    const verdict = await this.#verdictOn(key, request)
    this.#checkUse(verdict, request)
    return verdict.principal
  }

  holder(request: AccessRequest, app: App, owner: Owner): Principal {
    this.#checkSecure(request)
    return holderOf(app, owner)
  }

  async appsOf(request: AccessRequest): Promise<readonly string[]> {
    const key = presentedKey(request)
    const verdict = key === undefined ? undefined : await this.#verdictOn(key, request)
    if (verdict !== undefined) this.#checkUse(verdict, request)
    const named = verdict?.apps ?? []
    return [...new Set([...(this.#settings.defaultApp ? [DEFAULT_APP] : []), ...named])]
  }

  async mintTicket(principal: Principal, app: string, grant: Grant): Promise<Ticket> {
    const { keyId, keyKind, scopes } = principal
    if (keyId === undefined) throw new ParleyError('unauthorized')
    if (keyKind !== 'secret') throw new ParleyError('forbidden', { message: 'Tickets are minted with a secret key' })
    if (!grant.scopes.every((scope) => scopes.includes(scope))) throw new ParleyError('forbidden')
    return this.#tickets.mint({ ...grant, app, keyId }, Date.now())
  }

  async reconnectToken(principal: Principal): Promise<string | undefined> {
    const claims = this.#claims.get(principal)
    return claims && this.#tickets.token(claims, Date.now())
  }

  require(principal: Principal, scope: Scope): void {
    if (!this.#verdicts.holds(principal)) throw new ParleyError('unauthorized')
    if (!principal.scopes.includes(scope)) throw new ParleyError('forbidden')
  }

  addressOf(request: AccessRequest): Admission {
    return this.#addresses.addressOf(request)
  }

  onRevoked(listener: (keyIds: ReadonlySet<string>) => void): void {
    this.#revocations.onGone(listener)
  }

  close(): Promise<void> {
    this.stop()
    return this.#revocations.close()
  }

  /** A key in memory costs a digest and a lookup. */
  #verdictOn(key: string, request: AccessRequest): Verdict | Promise<Verdict> {
    const digest = sha256(key)
    const known = this.#verdicts.peek(digest, Date.now())
    if (known === undefined) return this.#prove(key, digest, request)
    this.#revocations.used(known)
    return known
  }

  async #prove(key: string, digest: string, request: AccessRequest): Promise<Verdict> {
    const verdict = await this.#verdicts.prove(key, digest, this.addressOf(request).address)
    this.#revocations.used(verdict)
    return verdict
  }

  async #findApp(app: string): Promise<void> {
    if ((await this.#apps.get(app)) === undefined) throw new ParleyError('app_not_found')
  }

  /** A ticket stands for the key that minted it, and is used up by nothing but a handshake that passes all else. */
  async #identifyBearer(ticket: string, request: AccessRequest, app: string): Promise<Principal> {
    const claims = await this.#tickets.read(ticket)
    const { keyId, user, session, scopes, app: own } = claims.bearer
    const issuer = await this.#verdicts.issuer(keyId)
    this.#revocations.used(issuer)
    await this.#findApp(app)
    if (app !== own || !issuer.apps.has(app)) throw notFor('ticket', app)
    this.#checkSecure(request)
    if (session !== request.session) throw new ParleyError('session_not_found')
    await this.#tickets.use(claims)
    const principal: Principal = Object.freeze({
      kind: 'ticket',
      keyId,
      account: issuer.account,
      user,
      session,
      scopes,
      apps: [app],
    })
    this.#verdicts.bind(principal, issuer)
    this.#claims.set(principal, claims)
    return principal
  }

  /** Without a credential there is one App. */
  async #identifyVisitor(request: AccessRequest, app: string): Promise<Principal> {
    if (app !== DEFAULT_APP || !this.#settings.defaultApp) throw new ParleyError('unauthorized')
    await this.#findApp(app)
    this.#checkPage(request)
    this.#checkSecure(request)
    return ANONYMOUS
  }

  /** What holds of a key whichever App it is used for. */
  #checkUse(verdict: Verdict, request: AccessRequest): void {
    checkOrigin(verdict, request.header('origin'))
    this.#checkAddress(verdict, request)
    this.#checkSecure(request)
  }

  #checkAddress({ networks }: Verdict, request: AccessRequest): void {
    if (networks === undefined) return
    const client = this.#addresses.clientOf(request)
    if (client === undefined || !networks.some((network) => isWithin(client, network)))
      throw new ParleyError('forbidden', { message: 'This key may not be used from this address' })
  }

  #checkSecure(request: AccessRequest): void {
    if (this.#settings.requireHttps && !this.#addresses.isSecure(request)) throw new ParleyError('insecure_connection')
  }

  /** Else any web page could drive a developer's own server, and its model's key, through the developer's browser. */
  #checkPage(request: AccessRequest): void {
    const [origin, host] = [request.header('origin'), request.header('host')]
    if (!this.#hosts.isKnown(host)) throw new ParleyError('forbidden', { message: UNKNOWN_HOST })
    if (origin !== undefined && !this.#hosts.allowsPage(origin, host)) {
      throw new ParleyError('origin_not_allowed', { message: UNKNOWN_PAGE })
    }
  }
}

/** The id is the asker's own word; whether there is such an App was told before. */
function notFor(what: 'key' | 'ticket', app: string): ParleyError {
  return new ParleyError('forbidden', { message: `The ${what} is not for App "${app}"` })
}

const UNKNOWN_HOST = 'This server does not know the name it was called by; PARLEY_ORIGINS tells it'
const UNKNOWN_PAGE = 'Pages of this origin may not use this server without a key; PARLEY_ORIGINS allows them'
