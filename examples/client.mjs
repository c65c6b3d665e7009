// One question to a Parley server, and the answer as it comes. A secret key goes into PARLEY_KEY.
//   node examples/client.mjs "What time is it?" "ws://127.0.0.1:8080/ws?app=default"

import { randomUUID } from 'node:crypto'
import { WebSocket } from 'ws'

const [question = 'help', address = 'ws://127.0.0.1:8080/ws?app=default'] = process.argv.slice(2)
const headers = process.env.PARLEY_KEY ? { 'x-api-key': process.env.PARLEY_KEY } : {}
const socket = new WebSocket(address, ['parley.v1', `parley.session.${randomUUID()}`], { headers })
const fail = (why) => {
  process.stderr.write(`${why}\n`)
  process.exitCode = 1
}

socket.addEventListener('message', ({ data }) => {
  const { type, chunk, ...frame } = JSON.parse(data)
  const message = { type: 'message.send', clientMessageId: randomUUID(), content: question }
  if (type === 'session.ready') socket.send(JSON.stringify(message))
  if (chunk?.type === 'TEXT_MESSAGE_CONTENT') process.stdout.write(chunk.delta)
  if (chunk?.type === 'RUN_ERROR') fail(`\n${chunk.code}: ${chunk.message}`)
  if (type === 'error') fail(`${frame.code}: ${frame.message}`)
  if (type === 'error' || (type === 'session.status' && frame.status !== 'processing')) socket.close()
})
socket.addEventListener('close', () => process.stdout.write('\n'))
socket.addEventListener('error', ({ message }) => fail(message))
