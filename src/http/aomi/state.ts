import { createHash } from 'node:crypto'
import type { Conversation } from '../../ports/conversations.ts'
import { API_HEADERS, accessRequestOf, type HttpContext, json } from '../responses.ts'
import { WholeResponse } from '../whole-response.ts'
import { findFor, mayBegin } from './admit.ts'
import type { SystemEvent } from './memos.ts'
import type { Aomi } from './parts.ts'
import { clientIdOf, sessionIdOf } from './request.ts'
import { emptyBody, failureText, type Text } from './snapshot.ts'
import { echoOf, heldNumbers, readUserState, type UserState } from './user-state.ts'
import { pendingOf, requestEvent, type WalletRequest, walletRequestsOf } from './wallet-requests.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

/** What a browser may keep and ask about again; the tag says whether it is still so. */
const REVALIDATE = {
  ...API_HEADERS,
  'cache-control': 'no-cache',
  vary: 'x-session-id, x-thread-id, x-api-key, aomi-app-key, authorization',
}

/**
 * `GET /api/state`: of a session that nobody made yet an empty one, as the client asks before its first chat. What who only reads
 * says of itself is given back, and not remembered: the owner's next chat would bind that wallet, and its keys go to that client.
 */
export async function state(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c, true)
  const { memos } = aomi
  const said = c.req.query('user_state')
  const isNew = said !== undefined && !memos.hasSaid(id, said)
  const read = isNew ? readUserState(said) : undefined
  const conversation = await findFor(c, aomi, id, 'read')
  const isKept = conversation === undefined ? await mayBegin(c, aomi, id) : mayWrite(c)
  if (isKept) {
    const { address } = aomi.access.addressOf(accessRequestOf(c))
    memos.keepState(id, address, read, said)
    memos.keepClient(id, address, clientIdOf(c))
  }
  const told = read ?? memos.stateOf(id)
  if (conversation === undefined) return answerEmpty(id, told)
  const text = await aomi.texts.of(conversation)
  const news = newsOf(c, aomi, conversation, text)
  if (news.events.length > 0) return answer(text.text + ownText(told, text, news))
  // All that the client is told is of these two versions.
  const version = isKept || read === undefined ? memos.stateVersionOf(id) : digestOf(said)
  const headers = { ...REVALIDATE, etag: `"${text.version}-${version}"` }
  if (c.req.header('if-none-match') === headers.etag) return new WholeResponse(null, { status: 304, headers })
  const body = text.text + ownText(told, text, news)
  return new WholeResponse(body, { headers: { ...headers, 'content-type': JSON_TYPE } })
}

/** Of who was let in to the session. */
function mayWrite(c: HttpContext): boolean {
  return c.get('principal')?.scopes.includes('write') === true
}

function digestOf(text = ''): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** A snapshot as the answer to what changed something; `over` replaces fields of it. */
export async function answerSnapshot(
  c: HttpContext,
  aomi: Aomi,
  conversation: Conversation,
  over: Readonly<Record<string, unknown>> = {},
): Promise<Response> {
  const shared = await aomi.texts.of(conversation)
  const news = newsOf(c, aomi, conversation, shared)
  const text = shared.text + ownText(aomi.memos.stateOf(conversation.id), shared, news)
  // A field that comes twice in JSON is the later one's.
  const added = Object.keys(over).length === 0 ? text : `${text.slice(0, -1)},${JSON.stringify(over).slice(1)}`
  return answer(added)
}

export function answerEmpty(
  id: string,
  told: UserState | undefined,
  over: Readonly<Record<string, unknown>> = {},
): Response {
  const body = { ...emptyBody(id), system_events: [], user_state: echoOf(told, undefined), ...over }
  return json(body)
}

/** What waits for the client's wallet, and what this client was not told yet. */
type News = { readonly requests: readonly WalletRequest[]; readonly events: readonly SystemEvent[] }

const NO_NEWS: News = { requests: [], events: [] }

function newsOf(c: HttpContext, { memos }: Aomi, { id }: Conversation, { snapshot }: Text): News {
  const { lastRun, open } = snapshot
  if (lastRun?.outcome !== 'error' && open === undefined) return NO_NEWS
  const [client, said] = [clientIdOf(c), c.req.query('user_state')]
  const failed = lastRun?.outcome === 'error' && memos.isNews(id, client, lastRun.runId)
  const requests = walletRequestsOf(open)
  const held = requests.length > 0 && said !== undefined ? heldNumbers(said) : undefined
  const isLost = ({ ids }: WalletRequest): boolean =>
    held !== undefined && !ids.some((number) => held.has(String(number)))
  const events = [
    ...(failed ? [{ SystemError: failureText(lastRun.code) }] : []),
    ...requests.filter((request) => memos.isNews(id, client, request.toolCallId, isLost(request))).map(requestEvent),
  ]
  return { requests, events }
}

/** What follows in the body: this client's part of it. */
function ownText(told: UserState | undefined, { snapshot }: Text, { requests, events }: News): string {
  const user_state = echoOf(told, snapshot.record.wallet, pendingOf(requests))
  return `,${JSON.stringify({ system_events: events, user_state }).slice(1)}`
}

function answer(text: string): Response {
  return new WholeResponse(text, { headers: { ...API_HEADERS, 'content-type': JSON_TYPE } })
}
