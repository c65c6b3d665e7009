import * as v from 'valibot'
import type { Principal } from '../../ports/access.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { DEFAULT_APP, isRandomSessionId } from '../../protocol/ids.ts'
import { MAX_NAME_LENGTH } from '../../protocol/limits.ts'
import { readInput, readJson, readParameters } from '../input.ts'
import { accessRequestOf, type HttpContext, json } from '../responses.ts'
import { admitToApp } from './admit.ts'
import type { Aomi } from './parts.ts'
import { showsKey } from './request.ts'
import { vaultOfClient } from './vaults.ts'

/** Bytes of a body: as many secrets as are kept, each as long as may be. */
const MAX_BODY = 256 * 1024
/** Of one request; no client keeps more. */
const MAX_SECRETS = 32
/** Characters of a secret: shorter ones are guessed, and could not be told from other text when results are searched for them. */
const [MIN_LENGTH, MAX_LENGTH] = [8, 4096]

/** What a header can carry. */
export const SecretValue = v.pipe(
  v.string(),
  v.trim(),
  v.minLength(MIN_LENGTH),
  v.maxLength(MAX_LENGTH),
  v.regex(/^[\x20-\x7e]+$/, 'must be of printable ASCII characters'),
)
const SecretName = v.pipe(
  v.string(),
  v.regex(
    /^(?:[A-Z][A-Z0-9_]{0,63}|PROVIDER_KEY:[a-z0-9-]{1,40})$/,
    'a secret is named in capitals, digits and underscores, a provider’s key PROVIDER_KEY:<provider>',
  ),
)
const ClientId = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_NAME_LENGTH))
const Body = v.object({
  client_id: ClientId,
  secrets: v.pipe(
    v.record(SecretName, SecretValue),
    v.check((secrets) => Object.keys(secrets).length <= MAX_SECRETS, `must be at most ${MAX_SECRETS}`),
  ),
})
const ClientQuery = v.object({ client_id: ClientId })

/** `POST /api/secrets`: keeps what a client's tools and models need, and gives names for it, which open nothing by themselves. */
export async function putSecrets(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { client_id, secrets } = readInput(Body, await readJson(c, MAX_BODY))
  const principal = await clientOf(c, aomi, client_id, true)
  const entries = Object.entries(secrets).map(([name, value]) => ({ name, value }))
  if (entries.length > 0)
    await aomi.vault.put(vaultOfClient(principal, client_id), entries, principal.keyKind !== 'secret')
  const handles = Object.fromEntries(entries.map(({ name }) => [name, `$SECRET:${name}`]))
  return json({ handles })
}

/** `DELETE /api/secrets`: all of a client's. */
export async function clearSecrets(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { client_id } = readParameters(ClientQuery, c.req.query())
  const principal = await clientOf(c, aomi, client_id, false)
  return json({ cleared: await aomi.vault.remove(vaultOfClient(principal, client_id)) })
}

/** `DELETE /api/secrets/{name}`. */
export async function deleteSecret(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { client_id } = readParameters(ClientQuery, c.req.query())
  const principal = await clientOf(c, aomi, client_id, false)
  const deleted = await aomi.vault.remove(vaultOfClient(principal, client_id), c.req.param('name') ?? '')
  return json({ deleted })
}

/** Whose client it is. Without a secret key its id is what protects its secrets, and what is kept counts as a run. */
async function clientOf(c: HttpContext, aomi: Aomi, clientId: string, keeps: boolean): Promise<Principal> {
  const { access } = aomi
  const request = accessRequestOf(c)
  const principal = showsKey(c)
    ? await access.authenticate(request)
    : (await admitToApp(c, aomi, DEFAULT_APP, 'write')).principal
  access.require(principal, 'write')
  if (principal.keyKind === 'secret') return principal
  if (!isRandomSessionId(clientId.toLowerCase()))
    throw new ParleyError('bad_request', { message: 'client_id: must be a random UUID (version 4 or 7)' })
  if (keeps) await access.admitChange(principal, access.addressOf(request))
  return principal
}
