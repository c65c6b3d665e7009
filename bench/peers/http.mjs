// What every peer that answers over server-sent events on node:http has in common.

import { createServer } from 'node:http'

/**
 * Serves POSTs of JSON: `handle(body, response, signal)`. The signal aborts when the client has gone before the answer's end: a
 * client that stops a fetch closes its connection, and each of these libraries leaves passing that on to whoever uses it.
 */
export function serveJson(handle) {
  createServer(async (request, response) => {
    if (request.method !== 'POST') return response.writeHead(404).end()
    const abort = new AbortController()
    response.on('close', () => {
      if (!response.writableFinished) abort.abort()
    })
    try {
      const parts = []
      for await (const part of request) parts.push(part)
      await handle(JSON.parse(Buffer.concat(parts).toString()), response, abort.signal)
    } catch (error) {
      if (abort.signal.aborted) return
      console.error(error)
      response.destroy()
    }
  }).listen(Number(process.env.PORT), '127.0.0.1')
}
