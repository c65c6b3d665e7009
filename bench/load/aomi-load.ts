import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { nowMicros } from './clock.ts'
import type { Crowd } from './crowd.ts'
import { Latencies } from './latencies.ts'
import type { Target } from './line.ts'
import type { ChatsCommand, ChatsResult, PollCommand, PollResult } from './load-command.ts'
import { orderText } from './order.ts'

/** Connections of all polls together: keep-alive, as browsers do; each carries one request at a time. */
const POLL_CONNECTIONS = 100
/** How far the clock may run on before what is due is asked for. */
const TICK_MS = 5
const HTTP_OK = 200
const NOT_MODIFIED = 304
/** Milliseconds after each pair: a session takes 20 commands a second. */
const PAUSE_MS = 60
/** One answer of each chat is short, so that it is over before the next. */
const CHAT_TOKENS = 3

const originOf = ({ host = '127.0.0.1', port }: Target): string => `http://${host}:${port}`

/** Every session's state, so often a second each, by the clock; a client asks again with the tag that it has. */
export async function poll(crowd: Crowd, { target, sessionIds, perSecond, seconds }: PollCommand): Promise<PollResult> {
  const pool = new Pool(originOf(target), { connections: POLL_CONNECTIONS, pipelining: 1 })
  const tags = new Map<string, string>()
  const times = new Latencies()
  let [unchanged, bytes] = [0, 0]
  const ask = async (sessionId: string, planned: number): Promise<void> => {
    const tag = tags.get(sessionId)
    const headers = {
      ...target.headers,
      'x-session-id': sessionId,
      ...(tag === undefined ? {} : { 'if-none-match': tag }),
    }
    const { statusCode, headers: answered, body } = await pool.request({ method: 'GET', path: '/api/state', headers })
    const text = await body.text()
    if (statusCode !== HTTP_OK && statusCode !== NOT_MODIFIED)
      throw new Error(`a poll was answered ${statusCode}: ${text}`)
    if (statusCode === NOT_MODIFIED) unchanged += 1
    bytes += text.length
    if (typeof answered.etag === 'string') tags.set(sessionId, answered.etag)
    const took = nowMicros() - planned
    times.add(took)
    crowd.took(took)
  }
  const period = 1_000_000 / (sessionIds.length * perSecond)
  const start = nowMicros()
  const polls = Math.round(sessionIds.length * perSecond * seconds)
  const under: Promise<void>[] = []
  for (let nth = 0; nth < polls; nth += 1) {
    const planned = start + nth * period
    while (nowMicros() < planned) await sleep(TICK_MS)
    under.push(ask(sessionIds[nth % sessionIds.length] ?? '', planned))
  }
  await crowd.orFault(Promise.all(under))
  await pool.close()
  return { polls, unchanged, bytes, times: times.encode() }
}

/**
 * One message after the other, in turns: by `POST /api/chat` to the head of its answer, and by the session's WebSocket to the
 * acknowledgement; both are saved by then.
 */
export async function chats(crowd: Crowd, { target, sessionId, count }: ChatsCommand): Promise<ChatsResult> {
  const pool = new Pool(originOf(target), { connections: 1, pipelining: 1 })
  const [session] = crowd.sessions
  if (session === undefined) throw new Error('nobody is there to send')
  const [posts, sends] = [new Latencies(), new Latencies()]
  for (let nth = 0; nth < count; nth += 1) {
    const order = { tokens: CHAT_TOKENS, rate: 0, apart: false, tag: `chat-${nth}` }
    const ended = session.watch()
    const began = nowMicros()
    const { statusCode, body } = await pool.request({
      method: 'POST',
      path: target.path.replace(/^[^?]*/, '/api/chat'),
      headers: { ...target.headers, 'x-session-id': sessionId, 'content-type': 'application/json' },
      body: JSON.stringify({ text: orderText(order) }),
    })
    if (statusCode !== HTTP_OK) throw new Error(`a chat was answered ${statusCode}: ${await body.text()}`)
    posts.add(nowMicros() - began)
    await Promise.all([body.dump(), crowd.orFault(ended)])
    sends.add(await crowd.orFault(session.send({ ...order, tag: `send-${nth}` })))
    await sleep(PAUSE_MS)
  }
  await pool.destroy()
  return { posts: posts.encode(), sends: sends.encode() }
}
