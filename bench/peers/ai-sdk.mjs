// Vercel's AI SDK on node:http: `streamText` with its Anthropic provider, over its UI message stream.

import { createAnthropic } from '@ai-sdk/anthropic'
import { convertToModelMessages, pipeUIMessageStreamToResponse, streamText, toUIMessageStream } from 'ai'
import { serveJson } from './http.mjs'

const anthropic = createAnthropic({
  baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1`,
  apiKey: process.env.ANTHROPIC_API_KEY,
})

serveJson(async ({ messages }, response, abortSignal) => {
  const { stream } = streamText({
    model: anthropic('claude-sonnet-4-5'),
    messages: await convertToModelMessages(messages),
    abortSignal,
  })
  await pipeUIMessageStreamToResponse({ response, stream: toUIMessageStream({ stream }) })
})
