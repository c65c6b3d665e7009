import type { ExportDesk } from '../export-desk.ts'
import { readParameters } from '../input.ts'
import { done, type HttpContext, json } from '../responses.ts'
import type { Served } from '../route.ts'
import { type AdministrationParts, withActor } from './enter.ts'
import { messageJson, nextOf, sessionJson } from './json.ts'
import { ADMIN_ROUTES as ROWS } from './table.ts'

const MS_PER_DAY = 86_400_000
/** Days of usage, today with them, when nobody says which. */
const DEFAULT_DAYS = 30
/** Characters of `2026-04-30`. */
const DAY_LENGTH = 10

export function conversationRoutes(parts: AdministrationParts, desk: ExportDesk): Served[] {
  return [
    withActor(parts, ROWS.listAllSessions, async (c, actor, { sessions }) => {
      const wish = readParameters(ROWS.listAllSessions.query, c.req.query())
      const rows = await sessions.sessions(actor, wish)
      const next = nextOf(rows, wish, ({ updatedAt, id }) => `${updatedAt}-${id}`)
      return json({ sessions: rows.map(sessionJson), ...next })
    }),
    withActor(parts, ROWS.readSession, async (c, actor, { sessions }) => {
      const page = readParameters(ROWS.readSession.query, c.req.query())
      const { session, messages, hasMore } = await sessions.session(actor, readSessionId(c), page)
      return json({ session: sessionJson(session), messages: messages.map(messageJson), hasMore })
    }),
    withActor(parts, ROWS.deleteAnySession, async (c, actor, { sessions }) => {
      await sessions.deleteSession(actor, readSessionId(c))
      return done()
    }),
    withActor(parts, ROWS.exportSession, async (c, actor, { sessions }) => {
      const id = readSessionId(c)
      return desk.answer(c, id, actor.kind === 'cli' ? actor.kind : actor.keyId, () =>
        sessions.exportSession(actor, id),
      )
    }),
    withActor(parts, ROWS.usage, async (c, actor, { sessions }) => {
      const asked = readParameters(ROWS.usage.query, c.req.query())
      const to = asked.to ?? Date.parse(toDay(Date.now())) + MS_PER_DAY
      const from = asked.from ?? to - DEFAULT_DAYS * MS_PER_DAY
      const days = await sessions.usage(actor, { ...asked, from, to })
      return json({ from: toDay(from), to: toDay(to), days })
    }),
  ]
}

function readSessionId(c: HttpContext): string {
  return readParameters(ROWS.readSession.params, c.req.param()).session
}

function toDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, DAY_LENGTH)
}
