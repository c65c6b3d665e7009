// Socket.IO on node:http, as its tutorial has it: named events, one per token, and an acknowledgement of the stop.

import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { answer } from './model.mjs'

const http = createServer()
const io = new Server(http)

io.on('connection', (socket) => {
  let running

  async function run(content, abort) {
    for await (const delta of answer(content, abort.signal)) if (!abort.signal.aborted) socket.emit('token', delta)
    if (!abort.signal.aborted) socket.emit('done')
  }

  socket.on('ask', (content) => {
    const abort = new AbortController()
    running = abort
    run(content, abort).catch((error) => {
      if (abort.signal.aborted) return
      console.error(error)
      socket.emit('failed', 'the model failed')
    })
  })
  socket.on('stop', (acknowledge) => {
    running?.abort()
    acknowledge()
    socket.emit('done')
  })
  socket.on('disconnect', () => running?.abort())
})

http.listen(Number(process.env.PORT), '127.0.0.1')
