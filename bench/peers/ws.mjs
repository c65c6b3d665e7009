// A raw relay on `ws`: R (bench/relay.ts) on the library that most Node servers use. One frame per token.

import { WebSocketServer } from 'ws'
import { answer } from './model.mjs'

/** Of the WebSocket standard: something unexpected. */
const FAILED_CODE = 1011

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT), perMessageDeflate: false })

server.on('connection', (socket) => {
  let running

  async function run(content, abort) {
    const frame = (chunk) => {
      if (!abort.signal.aborted) socket.send(JSON.stringify({ chunk }))
    }
    frame({ type: 'RUN_STARTED' })
    for await (const delta of answer(content, abort.signal)) frame({ type: 'TEXT_MESSAGE_CONTENT', delta })
    frame({ type: 'RUN_FINISHED' })
  }

  socket.on('message', (data) => {
    const { type, id, content } = JSON.parse(data)
    if (type === 'run.cancel') {
      running?.abort()
      socket.send(JSON.stringify({ type: 'ack', ref: id }))
      socket.send(JSON.stringify({ chunk: { type: 'RUN_FINISHED' } }))
      return
    }
    const abort = new AbortController()
    running = abort
    run(content, abort).catch((error) => {
      if (abort.signal.aborted) return
      console.error(error)
      socket.close(FAILED_CODE)
    })
  })
  socket.on('close', () => running?.abort())
  socket.on('error', console.error)
})
