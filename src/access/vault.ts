import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import * as v from 'valibot'
import type { Revealable, ShownEntry, Vault, VaultEntry, VaultStore } from '../ports/vault.ts'
import { ParleyError } from '../protocol/errors.ts'
import { onceRead } from './once-read.ts'

const ALGORITHM = 'aes-256-gcm'
/** Bytes: of the key, of what makes each sealing another one (the mode's own length), and of what proves it whole. */
const [KEY_BYTES, NONCE_BYTES, TAG_BYTES] = [32, 12, 16]
/** Says how the rest is to be read. */
const VERSION = '1.'
/** Secrets of one person: keys of all providers, and of the services of a few tools. */
const MAX_ENTRIES = 32
/** Characters shown of a secret, and what part of it at most. */
const [PREFIX_LENGTH, PREFIX_SHARE] = [7, 4]

const Sealed = v.object({ value: v.string(), label: v.optional(v.string()) })
type Opened = v.InferOutput<typeof Sealed>

/** `key`: the operator's, 32 bytes; absent: the store has one. */
export function createVault(store: VaultStore, key?: Uint8Array): Vault {
  return new SealedVault(store, key)
}

/** Each secret is sealed by AES-256-GCM for its vault and its name: none can be put in another's place. */
class SealedVault implements Vault {
  readonly #store: VaultStore
  readonly #key: () => Promise<Uint8Array>

  constructor(store: VaultStore, key: Uint8Array | undefined) {
    this.#store = store
    this.#key = onceRead(async () => {
      return key ?? Buffer.from(await store.sealingKey(randomBytes(KEY_BYTES).toString('base64')), 'base64')
    })
  }

  async put(vault: string, entries: readonly VaultEntry[], passing: boolean): Promise<void> {
    const key = await this.#key()
    const sealed = entries.map(({ name, ...kept }) => ({ name, sealed: seal(key, `${vault}\0${name}`, kept) }))
    if (!(await this.#store.putEntries({ id: vault, entries: sealed, passing }, MAX_ENTRIES)))
      throw new ParleyError('invalid_value', { message: `At most ${MAX_ENTRIES} secrets are kept for one client` })
  }

  async show(vault: string): Promise<readonly ShownEntry[]> {
    const opened = await this.#open(vault)
    return [...opened].map(([name, { value, label }]) => {
      const prefix = value.slice(0, Math.min(PREFIX_LENGTH, Math.floor(value.length / PREFIX_SHARE)))
      return { name, prefix, ...(label === undefined ? {} : { label }) }
    })
  }

  async read(vault: string): Promise<ReadonlyMap<string, Revealable>> {
    const opened = await this.#open(vault)
    return new Map([...opened].map(([name, { value }]) => [name, new Hidden(value)]))
  }

  remove(vault: string, name?: string): Promise<boolean> {
    return this.#store.deleteEntries(vault, name)
  }

  holding(vaults: readonly string[]): Promise<readonly string[]> {
    return this.#store.holding(vaults)
  }

  async #open(vault: string): Promise<ReadonlyMap<string, Opened>> {
    const entries = await this.#store.listEntries(vault)
    if (entries.length === 0) return new Map()
    const key = await this.#key()
    return new Map(entries.map(({ name, sealed }) => [name, unseal(key, `${vault}\0${name}`, sealed)]))
  }
}

class Hidden implements Revealable {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toJSON(): string {
    return '[secret]'
  }

  toString(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

function seal(key: Uint8Array, place: string, content: Opened): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(place))
  const parts = [nonce, cipher.update(JSON.stringify(content), 'utf8'), cipher.final(), cipher.getAuthTag()]
  return VERSION + Buffer.concat(parts).toString('base64')
}

function unseal(key: Uint8Array, place: string, sealed: string): Opened {
  try {
    if (!sealed.startsWith(VERSION)) throw new Error('sealed in another way')
    const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64')
    const [end, options] = [bytes.length - TAG_BYTES, { authTagLength: TAG_BYTES }]
    const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), options)
    decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(end))
    const text = decipher.update(bytes.subarray(NONCE_BYTES, end), undefined, 'utf8') + decipher.final('utf8')
    return v.parse(Sealed, JSON.parse(text))
  } catch {
    // Not the cause: a parser's message may quote what it read.
    throw new ParleyError('provider_misconfigured', {
      message: 'A stored secret cannot be read with this server’s key',
    })
  }
}
