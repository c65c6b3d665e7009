import { createHash } from 'node:crypto'
import type { Conversation } from '../../ports/conversations.ts'
import { API_HEADERS, type HttpContext } from '../responses.ts'
import { findFor } from './admit.ts'
import type { SystemEvent } from './memos.ts'
import type { Aomi } from './parts.ts'
import { clientIdOf, sessionIdOf } from './request.ts'
import { emptyBody, failureText, type Text } from './snapshot.ts'
import { echoOf, heldNumbers, readUserState } from './user-state.ts'
import { pendingOf, requestEvent, type WalletRequest, walletRequestsOf } from './wallet-requests.ts'

/** Characters of a tag's digest: enough that no two states of one client meet. */
const DIGEST_LENGTH = 22
const JSON_TYPE = 'application/json; charset=utf-8'

/** What a browser may keep and ask about again; the tag says whether it is still so. */
const REVALIDATE = {
  ...API_HEADERS,
  'cache-control': 'no-cache',
  vary: 'x-session-id, x-thread-id, x-api-key, aomi-app-key, authorization',
}

/** `GET /api/state`: of a session that nobody made yet an empty one, as the client asks before its first chat. */
export async function state(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c, true)
  const said = readUserState(c.req.query('user_state'))
  const conversation = await findFor(c, aomi, id, 'read')
  aomi.memos.keepState(id, said)
  aomi.memos.keepClient(id, clientIdOf(c))
  if (conversation === undefined) return answerEmpty(aomi, id)
  const text = await aomi.texts.of(conversation)
  const body = bodyOf(c, aomi, conversation, text)
  if (body.events.length > 0) return answer(body.text)
  const tag = `"${text.version}-${createHash('sha256').update(body.text.slice(text.text.length)).digest('base64url').slice(0, DIGEST_LENGTH)}"`
  const headers = { ...REVALIDATE, etag: tag }
  if (c.req.header('if-none-match') === tag) return new Response(null, { status: 304, headers })
  return new Response(body.text, { headers: { ...headers, 'content-type': JSON_TYPE } })
}

/** A snapshot as the answer to what changed something; `over` replaces fields of it. */
export async function answerSnapshot(
  c: HttpContext,
  aomi: Aomi,
  conversation: Conversation,
  over: Readonly<Record<string, unknown>> = {},
): Promise<Response> {
  const { text } = bodyOf(c, aomi, conversation, await aomi.texts.of(conversation))
  // A field that comes twice in JSON is the later one's.
  const added = Object.keys(over).length === 0 ? text : `${text.slice(0, -1)},${JSON.stringify(over).slice(1)}`
  return answer(added)
}

export function answerEmpty(aomi: Aomi, id: string, over: Readonly<Record<string, unknown>> = {}): Response {
  const body = { ...emptyBody(id), system_events: [], user_state: echoOf(aomi.memos.stateOf(id), undefined), ...over }
  return Response.json(body, { headers: API_HEADERS })
}

function bodyOf(
  c: HttpContext,
  { memos }: Aomi,
  { id }: Conversation,
  { text, snapshot }: Text,
): { readonly text: string; readonly events: readonly SystemEvent[] } {
  const { lastRun, record, open } = snapshot
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
  const own = { system_events: events, user_state: echoOf(memos.stateOf(id), record.wallet, pendingOf(requests)) }
  return { text: `${text},${JSON.stringify(own).slice(1)}`, events }
}

function answer(text: string): Response {
  return new Response(text, { headers: { ...API_HEADERS, 'content-type': JSON_TYPE } })
}
