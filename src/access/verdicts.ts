import { LRUCache } from 'lru-cache'
import type { Principal } from '../ports/access.ts'
import type { KeyRow, KeyStore } from '../ports/keys.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Guesses } from './guesses.ts'
import { keyTag, type PresentedKey, type Prove, parseKey, provesPublishable } from './keys.ts'
import { isLive, type Verdict, verdictOf } from './principals.ts'

/** Entries: refused keys that are not looked up again. About 150 bytes each. */
const MAX_REFUSED = 10_000
/** Milliseconds: a client with a wrong key that retries costs nothing; a key made meanwhile works within this. */
const REFUSED_MS = 60_000
/** Entries: tags of keys that were asked for, so that guesses at a key read its row once. About 100 bytes each. */
const MAX_TAGS = 10_000
/** Entries: keys that are gone, so that a connection which was let in just before is still stopped. About 100 bytes each. */
const MAX_GONE = 50_000

/** One for all: an error of its own would take its stack each time, and wrong keys come in floods. */
const UNAUTHORIZED = new ParleyError('unauthorized')

/**
 * Which presented keys are good, by the SHA-256 of the key. A verdict lives until it is evicted or its key is gone, so that
 * a handshake costs a digest and a lookup; only what can change (revoked, expired, Apps lost) is read again.
 */
export class Verdicts {
  readonly #keys: KeyStore
  readonly #guesses: Guesses
  readonly #proves: Prove
  readonly #byDigest: LRUCache<string, Verdict>
  readonly #digests = new Map<string, string>()
  /** By digest; those that only ask who let someone in, by the key's id. */
  readonly #flights = new Map<string, Promise<Verdict>>()
  readonly #refused = new LRUCache<string, true>({ max: MAX_REFUSED, ttl: REFUSED_MS })
  readonly #tags = new LRUCache<string, number>({ max: MAX_TAGS })
  readonly #gone = new LRUCache<string, true>({ max: MAX_GONE })
  readonly #dead = new WeakSet<Principal>()
  /** Of keys by whose word others came in, by id; the key itself may never have been shown to this process. */
  readonly #issuers: LRUCache<string, Verdict>
  readonly #issuerOf = new WeakMap<Principal, Principal>()
  /** Steps with every change of any key: what was read before a step is read again. */
  #generation = 0

  constructor(keys: KeyStore, guesses: Guesses, proves: Prove, max: number) {
    this.#proves = proves
    this.#keys = keys
    this.#guesses = guesses
    this.#issuers = new LRUCache({ max })
    this.#byDigest = new LRUCache({
      max,
      dispose: (verdict, digest) => {
        if (this.#digests.get(verdict.keyId) === digest) this.#digests.delete(verdict.keyId)
      },
    })
  }

  /** The verdict in memory, if there is one that still holds. */
  peek(digest: string, now: number): Verdict | undefined {
    const verdict = this.#byDigest.get(digest)
    return verdict !== undefined && now < verdict.expiresAt ? verdict : undefined
  }

  /** Looks the key up and proves it; all who present the same key at once wait for one hash. Throws `unauthorized`. */
  async prove(key: string, digest: string, address: string): Promise<Verdict> {
    const presented = this.#refused.has(digest) ? undefined : parseKey(key)
    if (presented === undefined) throw UNAUTHORIZED
    const known = this.#flights.get(digest)
    if (known !== undefined) return known
    if (this.#isWrong(presented, digest)) throw this.#miss(presented, digest, address)
    this.#guesses.admit(presented.id)
    const flight = this.#lookUp(presented, digest, address).finally(() => this.#flights.delete(digest))
    this.#flights.set(digest, flight)
    return flight
  }

  /** False once the key was revoked, has expired or lost an App since `principal` was let in. */
  holds(principal: Principal): boolean {
    if (principal.keyId === undefined) return true
    return !this.#dead.has(this.#issuerOf.get(principal) ?? principal) && !this.#gone.has(principal.keyId)
  }

  /** Something about keys changed; what is being looked up right now may be old. */
  changed(): void {
    this.#generation++
    this.#refused.clear()
    this.#tags.clear()
  }

  /**
   * The verdict on the key of this id, for what it let in: its secret was proven when it did. Throws `unauthorized` when the
   * key is gone.
   */
  async issuer(keyId: string): Promise<Verdict> {
    const known = this.#inMemory(keyId).find((verdict) => Date.now() < verdict.expiresAt)
    if (known !== undefined) return known
    const place = `id ${keyId}`
    const flight = this.#flights.get(place) ?? this.#readIssuer(keyId).finally(() => this.#flights.delete(place))
    this.#flights.set(place, flight)
    return flight
  }

  /** `principal` stands and falls with the key that let it in. */
  bind(principal: Principal, issuer: Verdict): void {
    this.#issuerOf.set(principal, issuer.principal)
  }

  /** Ids of the keys in memory that may use `app`. */
  idsWith(app: string): string[] {
    return this.ids().filter((id) => this.#inMemory(id).some((verdict) => verdict.apps.has(app)))
  }

  ids(): string[] {
    return [...new Set([...this.#digests.keys(), ...this.#issuers.keys()])]
  }

  /** Holds what is remembered of a key against its row; true when connections of the key must close. */
  reconcile(keyId: string, row: KeyRow | undefined, now: number): boolean {
    const digest = this.#digests.get(keyId)
    const shown = digest === undefined ? undefined : this.#byDigest.peek(digest)
    const issuer = this.#issuers.peek(keyId)
    if (!isLive(row, now)) {
      if (digest !== undefined) this.#byDigest.delete(digest)
      this.#issuers.delete(keyId)
      this.#gone.set(keyId, true)
      return true
    }
    // Its secret was proven: the Apps that it keeps, and another expiry, cost no second hash.
    if (digest !== undefined && shown !== undefined) {
      this.#byDigest.set(digest, this.#renew(shown, row))
      this.#digests.set(keyId, digest)
    }
    if (issuer !== undefined) this.#issuers.set(keyId, this.#renew(issuer, row))
    return [shown, issuer].some((verdict) => verdict !== undefined && this.#dead.has(verdict.principal))
  }

  async #readIssuer(keyId: string): Promise<Verdict> {
    const row = await this.#readCurrent(keyId)
    if (!isLive(row, Date.now())) throw new ParleyError('unauthorized')
    const verdict = verdictOf(row)
    this.#issuers.set(keyId, verdict)
    return verdict
  }

  #renew(verdict: Verdict, row: KeyRow): Verdict {
    const fresh = verdictOf(row)
    const lost = [...verdict.apps].some((app) => !fresh.apps.has(app))
    if (lost) this.#dead.add(verdict.principal)
    // What a key gains holds for who comes next; who is connected stays.
    const gained = fresh.apps.size > verdict.apps.size
    return lost || gained ? fresh : { ...verdict, expiresAt: fresh.expiresAt }
  }

  #inMemory(keyId: string): Verdict[] {
    const digest = this.#digests.get(keyId)
    const shown = digest === undefined ? undefined : this.#byDigest.get(digest)
    return [shown, this.#issuers.get(keyId)].filter((verdict) => verdict !== undefined)
  }

  /** A key that was changed while it was read is read again. */
  async #readCurrent(keyId: string): Promise<KeyRow | undefined> {
    for (;;) {
      const generation = this.#generation
      const row = await this.#keys.findKey(keyId)
      if (generation === this.#generation) return row
    }
  }

  async #lookUp(presented: PresentedKey, digest: string, address: string): Promise<Verdict> {
    const generation = this.#generation
    const found = await this.#keys.findKey(presented.id)
    if (!(await this.#isProven(found, presented, digest, address))) throw this.#refuse(digest)
    // The key may have been revoked while its secret was hashed.
    const row = generation === this.#generation ? found : await this.#readCurrent(presented.id)
    if (!isLive(row, Date.now())) throw this.#refuse(digest)
    const isUntold = row.kind === 'secret' && row.tag === undefined
    const verdict = { ...verdictOf(row), ...(isUntold ? { newTag: keyTag(row.id, presented.secret) } : {}) }
    this.#byDigest.set(digest, verdict)
    this.#digests.set(verdict.keyId, digest)
    return verdict
  }

  /** For sure, by what is in memory: a key has one secret, and each secret one tag. */
  #isWrong({ id, secret }: PresentedKey, digest: string): boolean {
    const [right, tag] = [this.#digests.get(id), this.#tags.get(id)]
    return right === undefined ? tag !== undefined && tag !== keyTag(id, secret) : right !== digest
  }

  /** What a wrong secret is refused with that need not be hashed to be known as one. */
  #miss({ kind, id }: PresentedKey, digest: string, address: string): ParleyError {
    if (kind === 'secret') this.#guesses.miss(id, address)
    return this.#refuse(digest)
  }

  /** Nothing is hashed for a key that is unknown, gone or of the other kind. */
  async #isProven(row: KeyRow | undefined, presented: PresentedKey, digest: string, address: string): Promise<boolean> {
    if (!isLive(row, Date.now()) || row.kind !== presented.kind) return false
    if (row.kind === 'publishable') return provesPublishable(row.hash, presented.secret)
    if (row.tag !== undefined) this.#tags.set(row.id, row.tag)
    if (this.#isWrong(presented, digest)) throw this.#miss(presented, digest, address)
    return this.#guesses.attempt(row.id, address, () => this.#proves(row.hash, presented.secret))
  }

  #refuse(digest: string): ParleyError {
    this.#refused.set(digest, true)
    return UNAUTHORIZED
  }
}
