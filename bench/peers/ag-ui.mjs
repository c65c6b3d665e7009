// An agent that speaks AG-UI over server-sent events: its schema reads the input, its encoder writes every event.

import { randomUUID } from 'node:crypto'
import { EventType } from '@ag-ui/core'
import { RunAgentInputSchema } from '@ag-ui/core/schemas'
import { EventEncoder } from '@ag-ui/encoder'
import { serveJson } from './http.mjs'
import { answer } from './model.mjs'

serveJson(async (body, response, signal) => {
  const { threadId, runId, messages } = RunAgentInputSchema.parse(body)
  const encoder = new EventEncoder({ accept: 'text/event-stream' })
  const messageId = randomUUID()
  const say = (event) => response.write(encoder.encodeSSE(event))
  response.writeHead(200, { 'content-type': encoder.getContentType(), 'cache-control': 'no-cache' })
  say({ type: EventType.RUN_STARTED, threadId, runId })
  say({ type: EventType.TEXT_MESSAGE_START, messageId, role: 'assistant' })
  for await (const delta of answer(messages.at(-1).content, signal))
    say({ type: EventType.TEXT_MESSAGE_CONTENT, messageId, delta })
  say({ type: EventType.TEXT_MESSAGE_END, messageId })
  say({ type: EventType.RUN_FINISHED, threadId, runId })
  response.end()
})
