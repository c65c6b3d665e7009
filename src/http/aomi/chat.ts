import * as v from 'valibot'
import type { Conversation, Sender, SendOptions } from '../../ports/conversations.ts'
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
import { setVault, vaultFor } from './vaults.ts'
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
  aomi.memos.keepState(id, sender.from.address, said)
  if (conversation.stored) await bindWallet(conversation, wallet)
  aomi.memos.keepClient(id, sender.from.address, clientIdOf(c))
  const options = await withVault(conversation, vaultFor(aomi.vault, conversation, sender.principal, clientIdOf(c)))
  if (byBody && !wantsJson(c)) return streamRun(aomi, conversation, sender, content, options)
  return snapshotAfter(c, aomi, conversation, sender, content, options)
}

/**
 * The run uses the vault and no other, yet its message need not wait for the look at which one: a run that starts at once begins
 * after it. One that waits starts by itself, so the vault is bound before.
 */
async function withVault(conversation: Conversation, vault: Promise<string>): Promise<SendOptions> {
  // A send that is refused leaves nobody to hear of it.
  vault.catch(() => undefined)
  const bind = async (): Promise<void> => setVault(conversation, await vault)
  if ((await conversation.runs()).length === 0) return { before: bind }
  await bind()
  return {}
}

async function snapshotAfter(
  c: HttpContext,
  aomi: Aomi,
  conversation: Conversation,
  sender: Sender,
  content: string,
  options: SendOptions,
): Promise<Response> {
  const { state } = await conversation.send(sender, content, options)
  if (state === 'queued') notice(aomi, conversation.id, sender.from.address, QUEUED)
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
