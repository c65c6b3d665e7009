import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import type { AliasFrame } from '../../src/protocol/aliases.ts'
import type { CommandInput, CommandType } from '../../src/protocol/commands.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { HandshakeRefused, SocketClient } from '../support/socket-client.ts'
import type { Attempt } from './matrix-principals.ts'

/** `ok`, or the code of the refusal. */
export type Outcome = string

const REF = 'c1'
const OK = 'ok'
const ErrorBody = v.object({ error: v.object({ code: v.string() }) })
const Frame = v.object({
  type: v.optional(v.string()),
  ref: v.optional(v.string()),
  code: v.optional(v.string()),
  chunk: v.optional(v.object({ type: v.string() })),
})
type Frame = v.InferOutput<typeof Frame>

/** Every command, as one that may would send it to a session whose run `r1` has ended. */
export const COMMANDS: Readonly<Record<CommandType, CommandInput>> = {
  'message.send': { type: 'message.send', id: REF, clientMessageId: 'm9', content: 'hello' },
  'run.cancel': { type: 'run.cancel', id: REF },
  'run.retry': { type: 'run.retry', id: REF, runId: 'r1' },
  'run.resume': { type: 'run.resume', id: REF, resume: [{ interruptId: 'i1', status: 'cancelled' }] },
  'tool.claim': { type: 'tool.claim', id: REF, toolCallId: 't1' },
  'tool.result': { type: 'tool.result', id: REF, toolCallId: 't1', content: 'done' },
  'session.update': { type: 'session.update', id: REF, title: 'Another' },
  'history.get': { type: 'history.get', id: REF },
  pong: { type: 'pong', id: REF },
}

const turn = { threadId: 't1', messages: [{ id: 'm9', role: 'user', content: 'hello' }] }

/** Every frame of TanStack AI's client. */
export const ALIAS_FRAMES: Readonly<Record<AliasFrame['kind'], object>> = {
  run: { ...turn, runId: 'r9' },
  abort: { type: 'abort', runId: 'r8' },
  resume: { ...turn, runId: 'r9', resume: [{ interruptId: 'i1', status: 'resolved', payload: { approved: true } }] },
}

/** What a request of each route holds. */
const BODIES: Readonly<Record<string, (attempt: Attempt) => object>> = {
  'PATCH /v1/sessions/:id': () => ({ title: 'Another' }),
  'POST /v1/tickets': () => ({ session: randomUUID(), user: 'ann' }),
  'PATCH /v1/admin/accounts/:account': () => ({ plan: 'none' }),
  'PUT /v1/admin/apps/:app': ({ app, target: { app: id } = { app } }) => {
    return { id, name: id, preamble: 'Another', model: { default: 'scripted/demo' } }
  },
  'POST /v1/admin/keys': ({ app }) => ({ apps: [app], scopes: ['admin'] }),
  'POST /v1/admin/keys/:key/rotate': () => ({}),
}

const read = (text: string): Frame => v.parse(Frame, JSON.parse(text))

/** On our wire, or on that of TanStack AI's client, which offers no subprotocol: what it is refused with is HTTP. */
async function connect(port: number, attempt: Attempt, isAlias = false): Promise<SocketClient | Outcome> {
  const { app, sessionId, headers, ticket } = attempt
  const url = `ws://127.0.0.1:${port}/ws?app=${app}`
  const shown = ticket === undefined ? '' : `&ticket=${ticket}`
  const credential = ticket === undefined ? undefined : ({ kind: 'ticket', ticket } as const)
  try {
    return isAlias
      ? await SocketClient.connect(`${url}&runId=r9${shown}`, { headers: { ...headers, 'x-session-id': sessionId } })
      : await SocketClient.connect(url, { headers, protocols: offerProtocols(sessionId, credential) })
  } catch (thrown) {
    if (thrown instanceof HandshakeRefused) return v.parse(ErrorBody, JSON.parse(thrown.body)).error.code
    throw thrown
  }
}

/** What the connection is closed for when its right to be there ends, whatever it might do meanwhile. */
async function endOf(socket: SocketClient, ends: () => Promise<void>): Promise<Outcome> {
  await ends()
  return (await socket.closed).reason
}

/** What `judge` has an outcome for first, else what the connection was closed for. */
async function outcomeOf(socket: SocketClient, judge: (frame: Frame) => Outcome | undefined): Promise<Outcome> {
  for (;;) {
    const text = await socket.next().catch(() => undefined)
    if (text === undefined) return (await socket.closed).reason
    const outcome = judge(read(text))
    if (outcome !== undefined) return outcome
  }
}

export async function tryCommand(port: number, attempt: Attempt, type: CommandType | 'connect'): Promise<Outcome> {
  const socket = await connect(port, attempt)
  if (!(socket instanceof SocketClient)) return socket
  try {
    const first = await outcomeOf(socket, (frame) => (frame.type === 'session.ready' ? OK : frame.code))
    if (first !== OK) return first
    if (attempt.ends !== undefined) return await endOf(socket, attempt.ends)
    if (type === 'connect') return first
    socket.sendJson(COMMANDS[type])
    // A pong is never answered: what follows it is.
    if (type === 'pong') socket.sendJson(COMMANDS['history.get'])
    return await outcomeOf(socket, (frame) => {
      if (frame.type === 'ack' && frame.ref === REF) return OK
      return frame.type === 'error' ? frame.code : undefined
    })
  } finally {
    socket.terminate()
  }
}

export async function tryAlias(port: number, attempt: Attempt, kind: AliasFrame['kind'] | 'connect'): Promise<Outcome> {
  const socket = await connect(port, attempt, true)
  if (!(socket instanceof SocketClient)) return socket
  try {
    if (attempt.ends !== undefined) return await endOf(socket, attempt.ends)
    if (kind === 'connect') return OK
    socket.sendJson(ALIAS_FRAMES[kind])
    // An abort is never answered: what follows it is.
    if (kind === 'abort') socket.sendJson(ALIAS_FRAMES.run)
    return await outcomeOf(socket, ({ type, code, chunk }) => {
      if (chunk?.type === 'RUN_STARTED') return OK
      return type === 'RUN_ERROR' ? code : undefined
    })
  } finally {
    socket.terminate()
  }
}

/** `route` as `GET /v1/sessions/:id`; a `*` stands for a page that is not there. */
export async function tryRoute(port: number, attempt: Attempt, route: string): Promise<Outcome> {
  const [method = '', pattern = ''] = route.split(' ')
  const { app, key } = attempt.target ?? { app: attempt.app, key: 'nobody' }
  const named = pattern
    .replace(':app', app)
    .replace(':key', key)
    .replace(':account', 'acme')
    .replace(':user', 'someone')
  const path = named.replace(/:id|:session/, attempt.sessionId).replace('*', 'nothing')
  const ticket = attempt.ticket === undefined ? '' : `&ticket=${attempt.ticket}`
  const body = BODIES[route]?.(attempt)
  await attempt.ends?.()
  const query = path.startsWith('/v1/admin/') ? '' : `?app=${attempt.app}${ticket}`
  const answer = await fetch(`http://127.0.0.1:${port}${path}${query}`, {
    method,
    headers: { ...attempt.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if ((route === 'GET /v1/sessions' || route === 'GET /v1/admin/sessions') && answer.ok)
    return (await answer.text()).includes(attempt.sessionId) ? OK : 'empty'
  await (answer.ok ? answer.text() : undefined)
  if (answer.ok) return OK
  return v.parse(ErrorBody, await answer.json()).error.code
}
