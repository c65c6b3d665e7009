// TanStack AI on node:http: `chat` with its Anthropic adapter, over its server-sent events, which are AG-UI's.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { chat, chatParamsFromRequestBody, toServerSentEventsResponse } from '@tanstack/ai'
import { createAnthropicChat } from '@tanstack/ai-anthropic'
import { serveJson } from './http.mjs'

const adapter = createAnthropicChat('claude-sonnet-4-5', process.env.ANTHROPIC_API_KEY, {
  baseURL: process.env.ANTHROPIC_BASE_URL,
})

serveJson(async (body, response, signal) => {
  const { messages, threadId, runId } = await chatParamsFromRequestBody(body)
  const abortController = new AbortController()
  signal.addEventListener('abort', () => abortController.abort())
  const stream = chat({ adapter, messages, threadId, runId, abortController })
  const { status, headers, body: events } = toServerSentEventsResponse(stream, { abortController })
  response.writeHead(status, Object.fromEntries(headers))
  await pipeline(Readable.fromWeb(events), response)
})
