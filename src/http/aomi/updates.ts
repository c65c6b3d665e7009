import type { Told } from '../../ports/conversations.ts'
import { accessRequestOf, type HttpContext } from '../responses.ts'
import { admitTo, findFor } from './admit.ts'
import type { Aomi } from './parts.ts'
import { PushedEvents } from './pushed-events.ts'
import { sessionIdOf } from './request.ts'
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
  await findFor(c, aomi, id, 'read')
  const release = access.admitConnection(access.addressOf(accessRequestOf(c)))
  const stream = new PushedEvents(() => {
    stop()
    streams.remove(id, stream)
    release()
  })
  streams.add(id, stream)
  stream.send(OPENING)
  const stop = conversations.follow(id, {
    async admit(conversation) {
      stream.keyId = (await admitTo(c, aomi, conversation, 'read')).principal.keyId
    },
    told: (what) => stream.send(eventText({ ...toEvent(what), session_id: id })),
    ended: () => stream.end(),
  })
  return stream.response
}

function toEvent(told: Told): object {
  if (told.kind === 'title') return { type: 'title_changed', new_title: told.title }
  const { callId, name, result } = told
  const tool = { id: callId, call_id: callId, tool_name: name }
  if (result === undefined) return { type: 'tool_update', ...tool, status: 'running', result: '' }
  const status = result.isError ? 'failed' : 'completed'
  return { type: 'tool_complete', ...tool, status, result: result.text }
}
