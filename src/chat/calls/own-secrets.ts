import type { SessionRow } from '../../ports/store.ts'
import { providerOfKey, type Revealable } from '../../ports/vault.ts'
import type { Core } from '../core.ts'

type OfSession = Pick<SessionRow, 'vault'>

/**
 * A person's own keys of model providers, by provider; undefined: none. Asked for anew each time: what was deleted is not used
 * again, in whatever process.
 */
export async function ownKeys(core: Core, session: OfSession): Promise<ReadonlyMap<string, Revealable> | undefined> {
  const secrets = await read(core, session)
  if (secrets === undefined) return undefined
  return new Map(
    [...secrets].flatMap(([name, key]): [string, Revealable][] => {
      const provider = providerOfKey(name)
      return provider === undefined ? [] : [[provider, key]]
    }),
  )
}

/** One secret that a person left for tools; never a provider's key. */
export async function ownSecret(core: Core, session: OfSession, name: string): Promise<Revealable | undefined> {
  return providerOfKey(name) === undefined ? (await read(core, session))?.get(name) : undefined
}

async function read({ own }: Core, { vault = '' }: OfSession): Promise<ReadonlyMap<string, Revealable> | undefined> {
  return own === undefined || vault === '' ? undefined : own.read(vault)
}
