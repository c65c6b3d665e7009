// The model as the peers without an adapter of their own ask it: the Anthropic SDK as it comes, as R (bench/relay.ts) does.

import Anthropic from '@anthropic-ai/sdk'

const MAX_TOKENS = 8192

const client = new Anthropic({ maxRetries: 0 })

/** The texts of one answer, one at a time. */
export async function* answer(content, signal) {
  const events = await client.messages.create(
    { model: 'bench', max_tokens: MAX_TOKENS, stream: true, messages: [{ role: 'user', content }] },
    { signal },
  )
  for await (const event of events)
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text
}
