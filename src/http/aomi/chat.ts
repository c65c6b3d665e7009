import * as v from 'valibot'
import type { Conversation, Sender } from '../../ports/conversations.ts'
import { check } from '../../protocol/check.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { UserContentSchema } from '../../protocol/messages.ts'
import { readInput, readJson } from '../input.ts'
import type { HttpContext } from '../responses.ts'
import { admitToApp, openFor } from './admit.ts'
import { bindWallet } from './bind-wallet.ts'
import { streamRun } from './chat-stream.ts'
import type { Aomi } from './parts.ts'
import { appOf, clientIdOf, publicKeyOf, sessionIdOf } from './request.ts'
import { answerSnapshot } from './state.ts'
import { notice } from './system.ts'
import { readUserState, walletIn } from './user-state.ts'
import { bindVault } from './vaults.ts'
import { claimed } from './wallet-proof.ts'

/** Milliseconds that a chat waits for its answer: a quick one needs no poll, and no person feels it. */
const HOLD_MS = 500
/** Bytes of a body: the longest message with every byte of it escaped. */
const MAX_BODY = 256 * 1024

const Body = v.object({ text: v.optional(UserContentSchema), message: v.optional(UserContentSchema) })

/**
 * `POST /api/chat`, of both documentations: a message in the query is answered by a snapshot; one in a JSON body by a stream
 * of its run, unless JSON is asked for.
 */
export async function chat(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c)
  const app = appOf(c)
  const { content, byBody } = await readMessage(c)
  const said = readUserState(c.req.query('user_state'))
  const sender = await admitToApp(c, aomi, app, 'write')
  const wallet = await claimed(aomi, app, walletIn(said ?? aomi.memos.stateOf(id), publicKeyOf(c)))
  const conversation = await openFor(aomi, id, sender, app, wallet ?? undefined)
  aomi.memos.keepState(id, said)
  if (conversation.stored) await bindWallet(conversation, wallet)
  aomi.memos.keepClient(id, clientIdOf(c))
  await bindVault(aomi.vault, conversation, sender.principal, clientIdOf(c))
  if (byBody && !wantsJson(c)) return streamRun(aomi, conversation, sender, content)
  return snapshotAfter(c, aomi, conversation, sender, content)
}

async function snapshotAfter(
  c: HttpContext,
  aomi: Aomi,
  conversation: Conversation,
  sender: Sender,
  content: string,
): Promise<Response> {
  const { state } = await conversation.send(sender, content)
  if (state === 'queued') notice(aomi, conversation.id, QUEUED)
  else await conversation.idle(HOLD_MS)
  return answerSnapshot(c, aomi, conversation)
}

const QUEUED = 'Your message waits until the answer before it is done.'

async function readMessage(c: HttpContext): Promise<{ readonly content: string; readonly byBody: boolean }> {
  const inQuery = c.req.query('message')
  if (inQuery !== undefined) return { content: check(UserContentSchema, inQuery, 'message'), byBody: false }
  if (c.req.header('content-type') === undefined)
    throw new ParleyError('bad_request', { message: 'message: is missing' })
  const { text, message } = readInput(Body, await readJson(c, MAX_BODY))
  const content = text ?? message
  if (content === undefined) throw new ParleyError('bad_request', { message: 'text: is missing' })
  return { content, byBody: true }
}

function wantsJson(c: HttpContext): boolean {
  const accept = c.req.header('accept') ?? ''
  return accept.includes('application/json') && !accept.includes('text/event-stream')
}
