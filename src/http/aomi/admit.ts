import { needsRandomId, type Principal } from '../../ports/access.ts'
import type { Conversation, Sender } from '../../ports/conversations.ts'
import type { Scope } from '../../ports/keys.ts'
import { isSameOwner, ownerOf } from '../../ports/sessions.ts'
import type { Owner } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { DEFAULT_APP, isRandomSessionId } from '../../protocol/ids.ts'
import type { Wallet } from '../../protocol/messages.ts'
import { admit } from '../admit.ts'
import { accessRequestOf, type HttpContext } from '../responses.ts'
import type { Aomi } from './parts.ts'
import { namedApp, showsKey } from './request.ts'

/** Whoever comes with a credential, or without one to the default App. */
export async function admitToApp(c: HttpContext, { access }: Aomi, app: string, scope: Scope): Promise<Sender> {
  const principal = await admit(c, access, app, scope)
  return { principal, from: access.addressOf(accessRequestOf(c)) }
}

/** Who sends this for the App that it names, else that of the session `known`: in that session, where it is of this App. */
export async function admitNamed(
  c: HttpContext,
  aomi: Aomi,
  known: Conversation | undefined,
  scope: Scope,
): Promise<{ readonly app: string; readonly sender: Sender }> {
  const app = namedApp(c) ?? known?.owner.app ?? DEFAULT_APP
  const isIn = known !== undefined && known.owner.app === app
  return { app, sender: isIn ? await admitTo(c, aomi, known, scope) : await admitToApp(c, aomi, app, scope) }
}

/**
 * The session `id` for who sends: found, or made with `wallet`. A session that nobody owns is open to whoever knows its id,
 * with a key or without, and becomes another App's while it is empty.
 */
export async function openFor(
  aomi: Aomi,
  id: string,
  { principal }: Sender,
  app: string,
  wallet?: Wallet,
): Promise<Conversation> {
  if (needsRandomId(principal) && !isRandomSessionId(id))
    throw new ParleyError('bad_request', { message: 'X-Session-Id: must be a random UUID (version 4 or 7)' })
  const known = await aomi.conversations.find(id)
  const own = ownerOf(principal, app)
  if (known?.stored !== true || !isNobodys(known.owner) || isSameOwner(known.owner, own))
    return aomi.conversations.open(id, own, wallet)
  if (app === DEFAULT_APP) return aomi.conversations.open(id, known.owner)
  // A client makes a session without its key before it chats with it: nobody said anything in it yet.
  if (!known.begun) await aomi.sessions.deleteEmpty(known.owner, id).catch(unlessGone)
  return aomi.conversations.open(id, own, wallet ?? known.record.wallet)
}

/** As `openFor`, and durable. Without a key it counts as a run: else anyone could fill the store with empty sessions. */
export async function makeFor(
  aomi: Aomi,
  id: string,
  sender: Sender,
  app: string,
  wallet?: Wallet,
): Promise<Conversation> {
  const conversation = await openFor(aomi, id, sender, app, wallet)
  if (conversation.stored) return conversation
  const definition = await aomi.apps.get(app)
  if (definition === undefined) throw new ParleyError('app_not_found')
  const release = await aomi.access.admitRun(sender.principal, sender.from, definition)
  release()
  await conversation.make()
  return conversation
}

/** Another request did the same in the same moment. */
function unlessGone(thrown: unknown): void {
  if (!(thrown instanceof ParleyError) || thrown.code !== 'session_not_found') throw thrown
}

/**
 * May who sends this do `scope` in a session that exists? Clients of Aomi show their key with a chat only: without one the
 * session's random id counts, as far as its App says. Throws.
 */
export async function admitTo(c: HttpContext, aomi: Aomi, conversation: Conversation, scope: Scope): Promise<Sender> {
  const principal = await principalIn(c, aomi, conversation, scope)
  return { principal, from: aomi.access.addressOf(accessRequestOf(c)) }
}

async function principalIn(c: HttpContext, aomi: Aomi, conversation: Conversation, scope: Scope): Promise<Principal> {
  const { access } = aomi
  const request = accessRequestOf(c)
  const { owner, id } = conversation
  const principal =
    showsKey(c) || isNobodys(owner) ? await access.identify(request, owner.app) : await holder(c, aomi, owner)
  c.set('principal', principal)
  access.require(principal, scope)
  if (!isNobodys(owner) && !isSameOwner(owner, ownerOf(principal, owner.app)))
    throw new ParleyError('session_not_found')
  if (needsRandomId(principal) && !isRandomSessionId(id)) throw new ParleyError('session_not_found')
  return principal
}

/** The session that the request names, when it exists and may be used so; undefined: there is none. */
export async function findFor(c: HttpContext, aomi: Aomi, id: string, scope: Scope): Promise<Conversation | undefined> {
  const conversation = await storedSession(aomi, id)
  if (conversation !== undefined) await principalIn(c, aomi, conversation, scope)
  return conversation
}

/** The session of this id, where anything of it was ever saved. */
export async function storedSession(
  { conversations }: Aomi,
  id: string | undefined,
): Promise<Conversation | undefined> {
  const found = id === undefined ? undefined : await conversations.find(id)
  return found?.stored === true ? found : undefined
}

/**
 * May who sends this leave something for session `id`, which nobody made yet, as with a first chat? Clients of Aomi show their key
 * with that only: one without a key that could not chat so is not refused, and leaves nothing. Throws for a key that is wrong.
 */
export async function mayBegin(c: HttpContext, { access }: Aomi, id: string): Promise<boolean> {
  const request = accessRequestOf(c)
  try {
    const principal = showsKey(c) ? await access.authenticate(request) : await access.identify(request, DEFAULT_APP)
    c.set('principal', principal)
    return principal.scopes.includes('write') && (!needsRandomId(principal) || isRandomSessionId(id))
  } catch (thrown) {
    if (showsKey(c) || !(thrown instanceof ParleyError) || !LATER.has(thrown.code)) throw thrown
    return false
  }
}

/** Who shows no key may show one with the first chat. */
export const LATER: ReadonlySet<string> = new Set(['unauthorized', 'forbidden', 'origin_not_allowed'])

async function holder(c: HttpContext, { access, apps }: Aomi, owner: Owner): Promise<Principal> {
  const app = await apps.get(owner.app)
  if (app === undefined) throw new ParleyError('app_not_found')
  return access.holder(accessRequestOf(c), app, owner)
}

function isNobodys({ app, account, user }: Owner): boolean {
  return app === DEFAULT_APP && account === undefined && user === undefined
}
