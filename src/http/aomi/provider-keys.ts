import * as v from 'valibot'
import type { Principal } from '../../ports/access.ts'
import type { Conversation } from '../../ports/conversations.ts'
import { providerKeyName, providerOfKey, type ShownEntry } from '../../ports/vault.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { MAX_NAME_LENGTH } from '../../protocol/limits.ts'
import { StorableText } from '../../protocol/messages.ts'
import { readInput, readJson } from '../input.ts'
import { type HttpContext, json } from '../responses.ts'
import { admitTo, admitToApp, storedSession } from './admit.ts'
import type { Aomi } from './parts.ts'
import { appOf, sessionIdOf, showsKey } from './request.ts'
import { SecretValue } from './secrets.ts'
import { setVault, vaultOfClient, vaultOfSession } from './vaults.ts'

const Label = v.optional(v.nullable(v.pipe(StorableText, v.maxLength(MAX_NAME_LENGTH))))
const Body = v.pipe(
  v.object({
    provider: v.string(),
    api_key: v.optional(SecretValue),
    byok_key: v.optional(SecretValue),
    label: Label,
  }),
  v.transform(({ provider, api_key, byok_key, label }) => ({ provider, key: api_key ?? byok_key, label })),
)

type Place = { readonly vault: string; readonly conversation: Conversation | undefined; readonly principal: Principal }

/** `GET /api/control/provider-keys`: what the session's client brought, of each key its beginning. */
export async function listProviderKeys(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { vault } = await placeOf(c, aomi, false)
  const keys = (await aomi.vault.show(vault)).flatMap((entry) => toShown(entry) ?? [])
  return json({ provider_keys: keys, byok_keys: keys })
}

/** `POST /api/control/provider-keys`: the session's runs use it from their next request to the model on. */
export async function putProviderKey(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { provider, key, label } = readInput(Body, await readJson(c))
  if (key === undefined) throw new ParleyError('bad_request', { message: 'api_key: is missing' })
  if (!aomi.ownKeyProviders.includes(provider)) {
    const known = aomi.ownKeyProviders.join(', ')
    throw new ParleyError('bad_request', { message: `provider: this server takes keys for ${known}` })
  }
  const { vault, conversation, principal } = await placeOf(c, aomi, true)
  const entry = { name: providerKeyName(provider), value: key, ...(label ? { label } : {}) }
  await aomi.vault.put(vault, [entry], principal.keyKind !== 'secret')
  if (conversation !== undefined) await setVault(conversation, vault)
  const shown = (await aomi.vault.show(vault)).find(({ name }) => name === entry.name)
  return json({ key: shown && toShown(shown) })
}

/** `DELETE /api/control/provider-keys/{provider}`. */
export async function deleteProviderKey(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { vault } = await placeOf(c, aomi, false)
  const deleted = await aomi.vault.remove(vault, providerKeyName(c.req.param('provider') ?? ''))
  return json({ deleted })
}

/** The client that used the session last, else the session itself. A session that a key made asks for the key. */
async function placeOf(c: HttpContext, aomi: Aomi, keeps: boolean): Promise<Place> {
  const id = sessionIdOf(c)
  const conversation = await storedSession(aomi, id)
  if (conversation !== undefined && conversation.owner.account !== undefined && !showsKey(c))
    throw new ParleyError('unauthorized')
  const { principal, from } =
    conversation === undefined
      ? await admitToApp(c, aomi, appOf(c), 'write')
      : await admitTo(c, aomi, conversation, 'write')
  if (keeps) await aomi.access.admitChange(principal, from)
  const client = aomi.memos.clientOf(id)
  const ownVault = client === undefined ? undefined : vaultOfClient(principal, client)
  const bound = conversation?.record.vault
  return { vault: ownVault ?? (bound || vaultOfSession(id)), conversation, principal }
}

function toShown({ name, prefix, label }: ShownEntry) {
  const provider = providerOfKey(name)
  return provider === undefined ? undefined : { provider, key_prefix: prefix, label: label ?? null, is_active: true }
}
