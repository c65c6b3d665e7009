import * as v from 'valibot'
import type { Admission } from '../../ports/access.ts'
import type { CallAnswer, Conversation } from '../../ports/conversations.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { MAX_PAGE_MESSAGES } from '../../protocol/limits.ts'
import { StorableText } from '../../protocol/messages.ts'
import { parseJson, readParameters } from '../input.ts'
import { charge } from '../rate-limit.ts'
import { accessRequestOf, type HttpContext, json } from '../responses.ts'
import { admitTo, findFor, mayBegin } from './admit.ts'
import { bindWallet } from './bind-wallet.ts'
import type { SystemEvent } from './memos.ts'
import type { Aomi } from './parts.ts'
import { sessionIdOf } from './request.ts'
import type { AomiMessage } from './snapshot.ts'
import { walletIn } from './user-state.ts'
import { isWalletAnswer, walletAnswers } from './wallet-answers.ts'
import { claimed } from './wallet-proof.ts'
import { walletRequestsOf } from './wallet-requests.ts'

/** Characters of a system message: what a wallet gives back, signatures included. */
const MAX_MESSAGE = 32 * 1024
/** The command line hides what begins so. */
const ECHO = 'Response of system endpoint: '

const Query = v.object({ message: v.pipe(StorableText, v.minLength(1), v.maxLength(MAX_MESSAGE)) })
const Count = v.object({
  count: v.optional(
    v.pipe(v.string(), v.regex(/^\d{1,3}$/, 'must be a number'), v.transform(Number), v.maxValue(MAX_PAGE_MESSAGES)),
  ),
})
const Typed = v.object({ type: v.string(), payload: v.optional(v.unknown()) })
const WalletChange = v.object({
  address: v.optional(v.nullable(v.string())),
  chain_id: v.optional(v.nullable(v.union([v.number(), v.string()]))),
  chainId: v.optional(v.nullable(v.union([v.number(), v.string()]))),
  is_connected: v.optional(v.boolean()),
  isConnected: v.optional(v.boolean()),
  ens_name: v.optional(v.nullable(v.string())),
})

/**
 * `POST /api/system`: what happened in the client. A wallet that changed is bound to the session, at its first chat where it does
 * not exist yet; what a wallet gave back answers the call that waits for it; everything else is kept as an event.
 */
export async function system(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c)
  const { message } = readParameters(Query, c.req.query())
  const conversation = await findFor(c, aomi, id, 'write')
  const from = aomi.access.addressOf(accessRequestOf(c))
  const typed = readTyped(message)
  if (conversation !== undefined) await charge(c, aomi.access)
  else if (!(await mayLeave(c, aomi, id, from))) return answerEcho(message)
  if (typed === undefined) notice(aomi, id, from.address, message)
  else if (typed.type === 'wallet:state_changed') {
    keepWallet(aomi, id, from.address, typed.payload)
    if (conversation !== undefined)
      await bindWallet(conversation, await claimed(aomi, conversation.owner.app, walletIn(typed.payload)))
  } else {
    if (conversation !== undefined) await answerWallet(c, aomi, conversation, typed)
    aomi.memos.keepEvent(id, from.address, { AsyncCallback: typed })
  }
  return answerEcho(message)
}

/** As `mayBegin`; without a key what is left counts as a run, else anyone could fill the memory with it. */
async function mayLeave(c: HttpContext, aomi: Aomi, id: string, from: Admission): Promise<boolean> {
  if (!(await mayBegin(c, aomi, id))) return false
  const principal = c.get('principal')
  if (principal !== undefined) await aomi.access.admitChange(principal, from)
  return true
}

/** A wallet gave back what an open call waits for: the run goes on. What names nothing open is late, and answers nothing. */
async function answerWallet(
  c: HttpContext,
  aomi: Aomi,
  conversation: Conversation,
  { type, payload }: v.InferOutput<typeof Typed>,
): Promise<void> {
  if (!isWalletAnswer(type)) return
  const find = async (): Promise<CallAnswer[]> => {
    const { open = [] } = await conversation.snapshot(() => false)
    return walletAnswers(type, payload, walletRequestsOf(open))
  }
  let answers = await find()
  if (answers.length === 0) {
    // A wallet that needs no person may be faster than the notice of the process that asked for it.
    await conversation.newestRuns()
    answers = await find()
  }
  if (answers.length > 0) await conversation.answer(await admitTo(c, aomi, conversation, 'write'), answers)
}

/** `GET /api/events`: notices and callbacks, the oldest first, the last `count` of them. */
export async function events(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c)
  const { count } = readParameters(Count, c.req.query())
  if ((await findFor(c, aomi, id, 'read')) === undefined) throw new ParleyError('session_not_found')
  const all: readonly SystemEvent[] = aomi.memos.eventsOf(id)
  const last = count === undefined ? all : all.slice(Math.max(0, all.length - count))
  return json(last)
}

/** Tells the session's clients something that is no message. */
export function notice({ memos, streams }: Aomi, id: string, from: string, message: string): void {
  memos.keepEvent(id, from, { SystemNotice: message })
  streams.tell(id, { type: 'system_notice', session_id: id, message })
}

function readTyped(message: string): v.InferOutput<typeof Typed> | undefined {
  if (!message.trimStart().startsWith('{')) return undefined
  const parsed = v.safeParse(Typed, parseJson(message, 'message'))
  return parsed.success ? parsed.output : undefined
}

/** Into what the client is told of itself, under the names of the flat form. */
function keepWallet({ memos }: Aomi, id: string, from: string, payload: unknown): void {
  const parsed = v.safeParse(WalletChange, payload)
  if (!parsed.success) throw new ParleyError('bad_request', { message: 'message: not the state of a wallet' })
  const { address, chain_id, chainId, is_connected, isConnected, ens_name } = parsed.output
  const facts = { address, chain_id: chain_id ?? chainId, is_connected: is_connected ?? isConnected, ens_name }
  const said = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
  memos.keepState(id, from, { ...memos.stateOf(id), ...said })
}

function answerEcho(message: string): Response {
  const timestamp = new Date().toISOString()
  const content = ECHO + message
  const res: AomiMessage = { sender: 'system', content, timestamp, is_streaming: false, tool_result: null }
  return json({ res })
}
