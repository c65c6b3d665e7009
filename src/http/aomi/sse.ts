const encoder = new TextEncoder()

/** Caches and proxies must not hold a stream back. */
export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
}

/** One event: the data alone, as these clients read nothing else. */
export function eventText(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

/** Server-sent events from `next`, each asked for when the reader has taken the one before; undefined ends the stream. */
export function pulledEvents(next: () => Promise<string | undefined>, cancel: () => void): Response {
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const text = await next()
      if (text === undefined) controller.close()
      else controller.enqueue(encoder.encode(text))
    },
    cancel,
  })
  return new Response(body, { headers: SSE_HEADERS })
}
