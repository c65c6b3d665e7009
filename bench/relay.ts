/**
 * R, the base of all ratios: a raw uWebSockets.js relay. The Anthropic SDK with its default `fetch`, raw events,
 * one frame per token; no authentication, numbers, resume, storage, joining. What any server pays at the least
 * when it is written in the plain way.
 */

import { App, type WebSocket } from 'uWebSockets.js'
import Anthropic from '@anthropic-ai/sdk'

/** `shared`: everyone who is so hears every answer, by the library's own publish. */
type Peer = { run: AbortController | undefined; readonly shared: boolean }
type Chunk = Readonly<Record<string, unknown>>

/** Of the WebSocket standard: something unexpected. */
const FAILED_CODE = 1011
const TOPIC = 'all'

const MAX_TOKENS = 8192
/** Far above any answer here: R drops nothing. */
const MAX_BACKPRESSURE_BYTES = 16 * 1024 * 1024

const client = new Anthropic({ maxRetries: 0 })

function say(socket: WebSocket<Peer>, peer: Peer, chunk: Chunk): void {
  const text = JSON.stringify({ chunk })
  if (peer.shared) app.publish(TOPIC, text)
  else socket.send(text)
}

async function run(socket: WebSocket<Peer>, peer: Peer, content: string, abort: AbortController): Promise<void> {
  const frame = (chunk: Chunk): void => {
    if (!abort.signal.aborted) say(socket, peer, chunk)
  }
  const events = await client.messages.create(
    { model: 'bench', max_tokens: MAX_TOKENS, stream: true, messages: [{ role: 'user', content }] },
    { signal: abort.signal },
  )
  let messageId = ''
  for await (const event of events) {
    if (event.type === 'message_start') {
      messageId = event.message.id
      frame({ type: 'RUN_STARTED' })
      frame({ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' })
    } else if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
      frame({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta: event.delta.text })
    } else if (event.type === 'message_stop') {
      frame({ type: 'TEXT_MESSAGE_END', messageId })
      frame({ type: 'RUN_FINISHED' })
    }
  }
  if (peer.run === abort) peer.run = undefined
}

const app = App()
app
  .ws<Peer>('/ws', {
    idleTimeout: 0,
    maxBackpressure: MAX_BACKPRESSURE_BYTES,
    upgrade: (response, request, context) => {
      const [key, protocol, extensions] = [
        'sec-websocket-key',
        'sec-websocket-protocol',
        'sec-websocket-extensions',
      ].map((name) => request.getHeader(name))
      const peer: Peer = { run: undefined, shared: request.getQuery('shared') === '1' }
      response.upgrade(peer, key ?? '', protocol ?? '', extensions ?? '', context)
    },
    open: (socket) => {
      if (socket.getUserData().shared) socket.subscribe(TOPIC)
    },
    message: (socket, message) => {
      const peer = socket.getUserData()
      const { type, content, id } = JSON.parse(Buffer.from(message).toString())
      if (type === 'run.cancel') {
        peer.run?.abort()
        peer.run = undefined
        socket.send(JSON.stringify({ type: 'ack', ref: id, state: 'cancelling' }))
        say(socket, peer, { type: 'RUN_FINISHED' })
        return
      }
      const abort = new AbortController()
      peer.run = abort
      run(socket, peer, content, abort).catch((error: unknown) => {
        if (abort.signal.aborted) return
        console.error(error)
        // Else whoever waits for the answer waits forever.
        socket.end(FAILED_CODE)
      })
    },
    close: (socket) => {
      const peer = socket.getUserData()
      peer.run?.abort()
      peer.run = undefined
    },
  })
  .listen('127.0.0.1', Number(process.env.PORT ?? 0), (listening) => {
    if (!listening) throw new Error('the port is taken')
  })
