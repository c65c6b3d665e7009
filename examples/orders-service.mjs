// A service for the example of an http tool: node examples/orders-service.mjs
// Then: curl -H 'authorization: Bearer example-token-1' http://127.0.0.1:9000/orders/1001

import { createServer } from 'node:http'

const ORDERS = { 1001: { state: 'sent', arrives: 'Friday' }, 1002: { state: 'packed', arrives: 'next week' } }

createServer((request, response) => {
  const number = /^\/orders\/(\d+)$/.exec(request.url ?? '')?.[1]
  const allowed = request.headers.authorization === 'Bearer example-token-1'
  const [status, body] = !allowed
    ? [401, { error: 'who are you?' }]
    : number in ORDERS
      ? [200, { order: ORDERS[number] }]
      : [404, { error: 'no such order' }]
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}).listen(9000, '127.0.0.1')
