import * as v from 'valibot'
import type { Conversation } from '../../ports/conversations.ts'
import type { Scope } from '../../ports/keys.ts'
import { ownerOf } from '../../ports/sessions.ts'
import type { Owner, SessionRow, SessionSummary } from '../../ports/store.ts'
import { SessionUpdateSchema } from '../../protocol/commands.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { MAX_PAGE_MESSAGES } from '../../protocol/limits.ts'
import { StorableText } from '../../protocol/messages.ts'
import { readInput, readJson, readParameters } from '../input.ts'
import { charge } from '../rate-limit.ts'
import { type HttpContext, json } from '../responses.ts'
import { admitTo, admitToApp, findFor, LATER, makeFor, storedSession } from './admit.ts'
import { bindWallet } from './bind-wallet.ts'
import type { Aomi } from './parts.ts'
import { appOf, namedSessionId, publicKeyOf, sessionIdOf, showsKey } from './request.ts'
import { NO_TITLE } from './snapshot.ts'
import { walletIn } from './user-state.ts'
import { claimed } from './wallet-proof.ts'

/** Sessions in a list when nobody says how many: a sidebar or two. */
const DEFAULT_LIMIT = 50

const Limit = v.pipe(v.string(), v.regex(/^\d{1,4}$/, 'must be a number'), v.transform(Number))
const ListQuery = v.object({
  limit: v.optional(v.pipe(Limit, v.minValue(1), v.maxValue(MAX_PAGE_MESSAGES)), String(DEFAULT_LIMIT)),
})
const TitleBody = v.object({ title: v.unwrap(SessionUpdateSchema.entries.title) })
const MakeBody = v.object({ public_key: v.optional(v.nullable(StorableText)) })

/**
 * `GET /api/sessions`: of a secret key's account; without one, where this server is set so, those of a wallet that nobody owns:
 * an address is known to many, and the list would give them the ids.
 */
export async function listSessions(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { limit } = readParameters(ListQuery, c.req.query())
  const [app, wallet] = [appOf(c), publicKeyOf(c)]
  if ((await aomi.apps.get(app))?.aomi?.walletProof === true && wallet !== undefined) {
    const proven = await provenList(c, aomi, wallet, limit)
    if (proven !== undefined) return json(proven.map(toListed))
  }
  const owner = await listOwner(c, aomi, app, wallet)
  const found = owner === undefined ? [] : await aomi.sessions.list(owner, limit, { wallet })
  return json(found.map(toListed))
}

/** `POST /api/sessions`: makes it where who asks may; else it comes to be with its first chat, which shows the key. */
export async function makeSession(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c)
  const body = c.req.header('content-type') === undefined ? {} : readInput(MakeBody, await readJson(c))
  const named = walletIn(aomi.memos.stateOf(id), publicKeyOf(c) ?? body.public_key ?? undefined)
  const wallet = await claimed(aomi, appOf(c), named)
  const known = await findFor(c, aomi, id, 'read')
  if (known !== undefined) return answerMade(known.record, false)
  try {
    const sender = await admitToApp(c, aomi, appOf(c), 'write')
    const conversation = await makeFor(aomi, id, sender, appOf(c), wallet ?? undefined)
    await bindWallet(conversation, wallet)
    return answerMade(conversation.record, true)
  } catch (thrown) {
    if (showsKey(c) || !(thrown instanceof ParleyError) || !LATER.has(thrown.code)) throw thrown
    return answerMade({ id }, false)
  }
}

/** `GET /api/sessions/{id}`. */
export async function oneSession(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { record } = await existing(c, aomi, 'read')
  const { session_id, title, is_archived } = toListed(record)
  const times = {
    created_at: new Date(record.createdAt).toISOString(),
    updated_at: new Date(record.updatedAt).toISOString(),
  }
  const threads = [{ id: session_id, title, ...times }]
  return json({ session_id, title, is_archived, ...times, threads })
}

/** `PATCH /api/sessions/{id}`: a person's title. */
export async function renameSession(c: HttpContext, aomi: Aomi): Promise<Response> {
  sessionIdOf(c)
  const { title } = readInput(TitleBody, await readJson(c))
  const conversation = await existing(c, aomi, 'write')
  await conversation.update({ title })
  return json(toListed(conversation.record))
}

/** `DELETE /api/sessions/{id}`: stops its run and removes it for good. */
export async function deleteSession(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { id, owner } = await existing(c, aomi, 'delete')
  await aomi.sessions.delete(owner, id)
  aomi.memos.forget(id)
  return json({ session_id: id, deleted: true })
}

/** `POST /api/sessions/{id}/archive` and `/unarchive`. */
export function archiveSession(archived: boolean): (c: HttpContext, aomi: Aomi) => Promise<Response> {
  return async (c, aomi) => {
    const conversation = await existing(c, aomi, 'write')
    await conversation.update({ archived })
    return json(toListed(conversation.record))
  }
}

async function existing(c: HttpContext, aomi: Aomi, scope: Scope): Promise<Conversation> {
  const conversation = await storedSession(aomi, sessionIdOf(c))
  if (conversation === undefined) throw new ParleyError('session_not_found')
  await admitTo(c, aomi, conversation, scope)
  if (scope !== 'read') await charge(c, aomi.access)
  return conversation
}

/**
 * Of a wallet that the session which is named was bound to by a signature: its sessions that were, too. Undefined: it was not.
 */
async function provenList(
  c: HttpContext,
  aomi: Aomi,
  wallet: string,
  limit: number,
): Promise<readonly SessionSummary[] | undefined> {
  const id = namedSessionId(c)
  const session = id === undefined ? undefined : await findFor(c, aomi, id, 'read')
  const bound = session?.record.wallet
  if (session === undefined || bound?.proven !== true) return undefined
  if (bound.address.toLowerCase() !== wallet.toLowerCase()) return undefined
  return aomi.sessions.list(session.owner, limit, { wallet: bound.address, proven: true })
}

/** Whose list it is; undefined: there is none. A wallet alone opens what no key made, whoever names it. */
async function listOwner(
  c: HttpContext,
  aomi: Aomi,
  app: string,
  wallet: string | undefined,
): Promise<Owner | undefined> {
  const isOpen = aomi.walletList && (await aomi.apps.get(app))?.aomi?.walletProof !== true
  const byWallet = isOpen && wallet !== undefined
  if (!showsKey(c) && !byWallet) return undefined
  const { principal } = await admitToApp(c, aomi, app, 'read')
  if (principal.keyKind === 'secret') return ownerOf(principal, app)
  return byWallet ? { app } : undefined
}

function answerMade({ id, title }: Pick<SessionRow, 'id' | 'title'>, created: boolean): Response {
  return json({ session_id: id, title: title ?? NO_TITLE, created })
}

function toListed({ id, title, archived }: Pick<SessionSummary, 'id' | 'title' | 'archived'>) {
  return { session_id: id, title: title ?? NO_TITLE, is_archived: archived === true }
}
