import type { Conversation, Told } from '../../ports/conversations.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { accessRequestOf, type HttpContext } from '../responses.ts'
import { admitTo, findFor } from './admit.ts'
import type { Aomi } from './parts.ts'
import { PushedEvents } from './pushed-events.ts'
import { sessionIdOf } from './request.ts'
import { makeRoom } from './room-for-requests.ts'
import { eventText } from './sse.ts'

/** Sent first, so that the answer begins at once. */
const OPENING = ': open\n\n'

/**
 * `GET /api/updates`: titles and tools of a session, also of one that is still to be made: the client asks before its first
 * chat. Nothing is told again, but the title, which is told to each who comes.
 */
export async function updates(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { access, conversations, streams } = aomi
  const id = sessionIdOf(c, true)
  const known = await findFor(c, aomi, id, 'read')
  // Looked at here so that it is refused with an answer; taken when the following begins.
  if (known !== undefined) (await takePlace(c, aomi, known)).leave()
  const from = access.addressOf(accessRequestOf(c))
  access.admitConnection(from)
  const address = c.env.peer.multiplexed === true ? undefined : from.address
  const stream = new PushedEvents(() => {
    stop()
    streams.remove(id, stream)
    access.leaveConnection(from)
  })
  streams.add(id, stream, address)
  stream.send(OPENING)
  const stop = conversations.follow(id, {
    async admit(conversation) {
      const { principal, leave } = await takePlace(c, aomi, conversation)
      stream.keyId = principal.keyId
      stream.hold(leave)
      // The key may be gone since it was asked for; from here on the stream ends with it.
      access.require(principal, 'read')
      // What cannot be looked up now is no reason to end this one.
      if (address !== undefined) void makeRoom(aomi, address, id).catch(() => undefined)
    },
    told: (what) => stream.send(eventText({ ...toEvent(what), session_id: id })),
    ended: () => stream.end(),
  })
  return stream.response
}

/** Among the connections of whoever may follow the session; throws as `admitTo`, and `rate_limit_exceeded`. */
async function takePlace(c: HttpContext, aomi: Aomi, conversation: Conversation) {
  const { principal } = await admitTo(c, aomi, conversation, 'read')
  const app = await aomi.apps.get(conversation.owner.app)
  if (app === undefined) throw new ParleyError('app_not_found')
  aomi.access.admitGuest({ principal, app })
  return { principal, leave: () => aomi.access.leaveGuest({ principal, app }) }
}

function toEvent(told: Told): object {
  if (told.kind === 'title') return { type: 'title_changed', new_title: told.title }
  const { callId, name, result } = told
  const tool = { id: callId, call_id: callId, tool_name: name }
  if (result === undefined) return { type: 'tool_update', ...tool, status: 'running', result: '' }
  const status = result.isError ? 'failed' : 'completed'
  return { type: 'tool_complete', ...tool, status, result: result.text }
}
