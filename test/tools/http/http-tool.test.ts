import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ToolError } from '../../../src/ports/tool.ts'
import { CONTEXT, refusalOf, run } from '../run.ts'
import { json, PARAMETERS, redirect, type Service, serve, toolOf, type World } from './service.ts'

/** Everything is on loopback under a name that the operator allows. */
function near(service: Service, over: World = {}): World {
  return { names: { 'api.test': ['127.0.0.1'] }, hosts: [`api.test:${service.port}`], ...over }
}

const urlOf = ({ port }: Service, path = '/orders/{id}') => `http://api.test:${port}${path}`
const TOKEN = 'tok-SECRET-0123456789"\\x'
const secrets = { TOKEN }
const headers = { Authorization: 'Bearer {secret:TOKEN}' }

/** The code of what is thrown for the operator and not said to the model. */
async function setupFault(work: Promise<unknown>): Promise<unknown> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).not.toBeInstanceOf(ToolError)
  return thrown instanceof Error && 'code' in thrown ? thrown.code : thrown
}

describe('an http tool', () => {
  it('puts arguments into the address, encoded, and the others into the query', async () => {
    const service = await serve(json({ ok: true }))
    const properties = { id: { type: 'string' }, page: { type: 'integer' }, tags: { type: 'array', items: {} }, no: {} }
    const parameters = { type: 'object', properties, required: ['id'] }
    const { tool } = toolOf({ url: urlOf(service, '/orders/{id}?full=1'), parameters }, near(service))
    expect(await run(tool, { id: 'a/b ?#%"ü', page: 2, tags: ['x y', 3, { z: 1 }], no: null })).toBe('{"ok":true}')
    expect(service.seen[0]).toMatchObject({
      method: 'GET',
      url: '/orders/a%2Fb%20%3F%23%25%22%C3%BC?full=1&page=2&tags=x+y&tags=3&tags=%7B%22z%22%3A1%7D',
      headers: { host: `api.test:${service.port}`, 'accept-encoding': 'identity' },
      body: '',
    })
  })

  it.each(['POST', 'PUT', 'PATCH'])('sends the others as JSON with %s', async (method) => {
    const service = await serve(json({}))
    const properties = { id: { type: 'integer' }, note: { type: 'string' } }
    const parameters = { type: 'object', properties, required: ['id'] }
    const { tool } = toolOf({ url: urlOf(service), method, parameters }, near(service))
    await run(tool, { id: 7, note: 'a\0ü' })
    expect(service.seen[0]).toMatchObject({ method, url: '/orders/7', headers: { 'content-type': 'application/json' } })
    expect(JSON.parse(service.seen[0]?.body ?? '')).toEqual({ note: 'a\0ü' })
  })

  it('refuses arguments that do not fit the schema, and sends nothing', async () => {
    const service = await serve(json({}))
    const { tool } = toolOf({ url: urlOf(service) }, near(service))
    expect(await refusalOf(tool, {})).toContain("arguments: must have required property 'id'")
    expect(await refusalOf(tool, { id: 7 })).toContain('id: must be string')
    expect(await refusalOf(tool, { id: 'a', admin: true })).toContain('must NOT have additional properties (admin)')
    expect(service.connections()).toBe(0)
  })

  it.each(['..', '.', '%2e%2e', ''])('stays under its path for an argument that is %j', async (id) => {
    const service = await serve(json({}))
    const { tool } = toolOf({ url: urlOf(service, '/orders/{id}/lines') }, near(service))
    const said = await run(tool, { id }).catch((thrown: unknown) => (thrown instanceof ToolError ? 'refused' : thrown))
    expect(said).toBe(id.startsWith('%') ? '{}' : 'refused')
    expect(service.seen.map(({ url }) => url).filter((url) => url !== '/orders/%252e%252e/lines')).toEqual([])
  })

  it('gives a part of the answer, as text or JSON', async () => {
    const service = await serve(json({ a: [{ 'b/c': 'text' }, { n: 1 }], __proto__x: 1 }))
    const part = (result: string) => run(toolOf({ url: urlOf(service), result }, near(service)).tool, { id: '1' })
    expect(await part('/a/0/b~1c')).toBe('text')
    expect(await part('/a/1')).toBe('{"n":1}')
    for (const missing of ['/b', '/a/7', '/a/length', '/toString', '/__proto__', '/a/0/b~1c/0', '/a/01'])
      await expect(part(missing)).rejects.toThrow('does not have the part')
  })

  it('says what a service refuses with, and what cannot be read', async () => {
    const service = await serve((request, response) => {
      const what = request.url?.slice('/orders/'.length)
      if (what === 'refused') json({ error: 'no such order' }, 404)(request, response, { ...EMPTY })
      else if (what === 'picture') response.writeHead(200, { 'content-type': 'image/png' }).end('PNG')
      else if (what === 'packed') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'))
      else if (what === 'nothing') response.writeHead(204).end()
      else if (what === 'latin')
        response.writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' }).end(Buffer.of(0xe9))
      else if (what === 'broken')
        response.writeHead(200, { 'content-length': '10' }).write('abc', () => response.destroy())
      else request.socket.destroy()
    })
    const { tool } = toolOf({ url: urlOf(service) }, near(service))
    expect(await refusalOf(tool, { id: 'refused' })).toBe('The service answered 404.\n{"error":"no such order"}')
    expect(await refusalOf(tool, { id: 'picture' })).toContain('something else than text')
    expect(await refusalOf(tool, { id: 'packed' })).toContain('compression')
    expect(await run(tool, { id: 'nothing' })).toContain('without a text')
    expect(await run(tool, { id: 'latin' })).toBe('é')
    expect(await refusalOf(tool, { id: 'broken' })).toContain('broke off')
    expect(await refusalOf(tool, { id: 'gone' })).toContain('cannot be reached')
    const inJson = toolOf({ url: urlOf(service), result: '/x' }, near(service)).tool
    expect(await refusalOf(inJson, { id: 'latin' })).toContain('did not answer in JSON')
  })

  it('that is not reached, or whose name is not found, says so', async () => {
    const service = await serve(json({}))
    const { tool } = toolOf({ url: urlOf(service) }, near(service, { names: {} }))
    expect(await refusalOf(tool, { id: '1' })).toBe('The name of the service is not found.')
    const closed = toolOf({ url: 'http://127.0.0.1:1/{id}' }, { hosts: ['127.0.0.1:1'] }).tool
    expect(await refusalOf(closed, { id: '1' })).toContain('cannot be reached')
  })
})

const EMPTY = { method: '', url: '', headers: {}, body: '' }

describe('big and slow services', () => {
  it('that answer without end are left at the bound', async () => {
    const service = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      const timer = setInterval(() => response.write('x'.repeat(10_000)), 1)
      response.on('close', () => clearInterval(timer))
    })
    const { tool } = toolOf({ url: urlOf(service), maxBytes: 100_000 }, near(service))
    expect(await refusalOf(tool, { id: '1' })).toBe('The service answered with more than 100000 bytes.')
    await expect.poll(service.open).toBe(0)
  })

  it('that answer at the bound are read, one byte over is refused', async () => {
    const service = await serve((request, response) => response.end('x'.repeat(Number(request.url?.split('/').at(-1)))))
    const { tool } = toolOf({ url: urlOf(service), maxBytes: 1000 }, near(service))
    expect(await run(tool, { id: '1000' })).toHaveLength(1000)
    expect(await refusalOf(tool, { id: '1001' })).toContain('more than 1000 bytes')
  })

  it('that send headers without end are left', async () => {
    const service = await serve((request) => {
      request.socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => request.socket.write(`x-a: ${'x'.repeat(1000)}\r\n`), 1)
      request.socket.on('error', () => undefined).on('close', () => clearInterval(timer))
    })
    const { tool } = toolOf({ url: urlOf(service) }, near(service))
    expect(await refusalOf(tool, { id: '1' })).toContain('broke off')
  })

  it.each([
    ['say nothing', () => undefined],
    [
      'drip',
      (
        _request: unknown,
        response: { write: (text: string) => void; on: (event: string, end: () => void) => void },
      ) => {
        const timer = setInterval(() => response.write('x'), 20)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ])('that %s are left at the deadline', async (_what, answer) => {
    const service = await serve(answer)
    const { tool } = toolOf({ url: urlOf(service), timeoutMs: 200 }, near(service))
    const began = performance.now()
    expect(await refusalOf(tool, { id: '1' })).toBe('The service did not answer within 0.2 seconds.')
    expect(performance.now() - began).toBeLessThan(3000)
    await expect.poll(service.open).toBe(0)
  })

  it('that redirect at their leisure have one deadline for all of it', async () => {
    const service = await serve((request, response) => {
      setTimeout(() => redirect('/orders/again')(request, response, { ...EMPTY }), 150)
    })
    const { tool } = toolOf({ url: urlOf(service), timeoutMs: 250 }, near(service))
    expect(await refusalOf(tool, { id: '1' })).toContain('did not answer within')
  })

  it('are left when the run is stopped', async () => {
    const service = await serve(() => undefined)
    const { tool } = toolOf({ url: urlOf(service) }, near(service))
    const controller = new AbortController()
    const call = tool.execute({ id: '1' }, { ...CONTEXT, signal: controller.signal })
    await expect.poll(() => service.seen.length).toBe(1)
    controller.abort(new Error('stopped'))
    await expect(call).rejects.toThrow('stopped')
    await expect.poll(service.open).toBe(0)
  })
})

describe('what an http tool may reach', () => {
  it.each([
    ['private without being named', 'https://api.test/{id}', ['10.0.0.1']],
    ['loopback by a name', 'https://api.test/{id}', ['127.0.0.1']],
    ['loopback by its address', 'https://127.0.0.1/{id}', []],
    ['loopback by an odd spelling that is loopback', 'https://[::ffff:7f00:1]/{id}', []],
    ['the metadata of a cloud', 'https://api.test/{id}', ['169.254.169.254']],
    ['both good and bad', 'https://api.test/{id}', ['93.184.215.14', '10.0.0.1']],
    ['nowhere', 'https://api.test/{id}', ['no address']],
    ['loopback behind NAT64', 'https://api.test/{id}', ['64:ff9b::7f00:1']],
  ])('is not %s', async (_what, url, addresses) => {
    const { tool } = toolOf({ url }, { names: { 'api.test': addresses } })
    expect(await setupFault(run(tool, { id: '1' }))).toBe('ADDRESS_NOT_ALLOWED')
  })

  it('is never a link-local address, also not under a name that the operator allows', async () => {
    const world = { hosts: ['api.test', '169.254.169.254'], names: { 'api.test': ['169.254.169.254'] } }
    for (const url of ['http://api.test/{id}', 'http://169.254.169.254/{id}'])
      expect(await setupFault(run(toolOf({ url }, world).tool, { id: '1' }))).toBe('ADDRESS_NOT_ALLOWED')
  })

  it('needs TLS beyond the named hosts, and a named port is only that', async () => {
    const service = await serve(json({}))
    const world = near(service, { hosts: ['api.test:1'] })
    expect(await setupFault(run(toolOf({ url: urlOf(service) }, world).tool, { id: '1' }))).toBe(
      'PLAIN_HTTP_NOT_ALLOWED',
    )
    await run(toolOf({ url: urlOf(service) }, near(service, { hosts: ['api.test'] })).tool, { id: '1' })
    expect(service.connections()).toBe(1)
  })

  it('is looked up once: a name that changes its mind is not asked again', async () => {
    const service = await serve(json({ ok: 1 }))
    const names = { 'api.test': ['127.0.0.1'] }
    const { tool, asked } = toolOf({ url: urlOf(service) }, near(service, { names }))
    const call = run(tool, { id: '1' })
    names['api.test'] = ['10.255.255.1']
    expect(await call).toBe('{"ok":1}')
    expect(asked).toEqual(['api.test'])
  })
})

describe('redirects', () => {
  it('to an address that is not allowed are not followed', async () => {
    const inner = await serve(json({ secret: 'inner' }))
    for (const target of [
      `http://127.0.0.1:${inner.port}/`,
      `http://inner.test:${inner.port}/`,
      `https://inner.test:${inner.port}/`,
      `https://localhost:${inner.port}/`,
      'http://169.254.169.254/latest/meta-data/',
      'https://meta.test/',
    ]) {
      const service = await serve(redirect(target))
      const names = {
        'api.test': ['127.0.0.1'],
        'inner.test': ['127.0.0.1'],
        localhost: ['::1'],
        'meta.test': ['169.254.169.254'],
      }
      const { tool } = toolOf({ url: urlOf(service) }, near(service, { names }))
      expect(await setupFault(run(tool, { id: '1' }))).toMatch(/NOT_ALLOWED$/)
    }
    expect(inner.connections()).toBe(0)
  })

  it.each(['file:///etc/passwd', 'ftp://api.test/', 'javascript:alert(1)', 'http://user:pass@api.test/', 'http://'])(
    'to %s are refused',
    async (target) => {
      const service = await serve(redirect(target))
      const { tool } = toolOf({ url: urlOf(service) }, near(service))
      expect(await refusalOf(tool, { id: '1' })).toContain('an address that cannot be used')
    },
  )

  it('within a host keep its secrets, are three at most', async () => {
    const service = await serve((request, response) => {
      const left = Number(request.url?.split('/').at(-1))
      if (left === 0) json({ at: 'end' })(request, response, { ...EMPTY })
      else redirect(`/orders/${left - 1}`)(request, response, { ...EMPTY })
    })
    const { tool } = toolOf({ url: urlOf(service), headers }, near(service, { secrets }))
    expect(await run(tool, { id: '3' })).toBe('{"at":"end"}')
    expect(new Set(service.seen.map((one) => one.headers['authorization']))).toEqual(new Set([`Bearer ${TOKEN}`]))
    expect(await refusalOf(tool, { id: '4' })).toBe('The service redirected more than 3 times.')
  })

  it('to another host, or another port, take no header of the App along, nor back again', async () => {
    const other = await serve((request, response) =>
      redirect(String(request.headers['x-back'] ?? back))(request, response, { ...EMPTY }),
    )
    let back = ''
    const service = await serve((request, response) => {
      const isFirst = request.url === '/orders/1'
      if (isFirst) redirect(`http://other.test:${other.port}/`)(request, response, { ...EMPTY })
      else json({ ok: 1 })(request, response, { ...EMPTY })
    })
    back = `http://api.test:${service.port}/orders/2`
    const names = { 'api.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'] }
    const world = { names, hosts: ['api.test', 'other.test'], secrets }
    const { tool, asked } = toolOf({ url: urlOf(service), headers: { ...headers, Cookie: 'a=b' } }, world)
    expect(await run(tool, { id: '1' })).toBe('{"ok":1}')
    expect(asked).toEqual(['api.test', 'other.test', 'api.test'])
    expect(service.seen[0]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, cookie: 'a=b' })
    for (const { headers: sent } of [...other.seen, ...service.seen.slice(1)]) {
      expect(JSON.stringify(sent)).not.toContain('SECRET')
      expect(sent).not.toHaveProperty('cookie')
    }
  })

  it.each([
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', '{"n":1}'],
    [308, 'POST', '{"n":1}'],
  ])('of a POST with %i become %s', async (status, method, body) => {
    const service = await serve((request, response) => {
      if (request.url === '/a') redirect('/b', status)(request, response, { ...EMPTY })
      else json({})(request, response, { ...EMPTY })
    })
    const parameters = { type: 'object', properties: { n: { type: 'integer' } } }
    const { tool } = toolOf({ url: urlOf(service, '/a'), method: 'POST', parameters }, near(service))
    await run(tool, { n: 1 })
    expect(service.seen[1]).toMatchObject({ method, url: '/b', body })
  })
})

describe('I11: the secrets of an http tool', () => {
  it('are sent, and taken out of what a service repeats', async () => {
    const service = await serve((request, response, seen) => {
      const said = { all: seen.headers, bare: String(request.headers.authorization) }
      json(said, request.url === '/orders/bad' ? 400 : 200)(request, response, seen)
    })
    const world = near(service, { secrets })
    const { tool } = toolOf({ url: urlOf(service), headers }, world)
    expect(await run(tool, { id: '1' })).toContain('"authorization":"Bearer [secret]"')
    expect(await refusalOf(tool, { id: 'bad' })).toContain('Bearer [secret]')
    for (const result of ['/bare', '/all', '/all/authorization']) {
      const said = await run(toolOf({ url: urlOf(service), headers, result }, world).tool, { id: '1' })
      expect(said).toContain('Bearer [secret]')
      expect(said).not.toContain('SECRET')
    }
    expect(service.seen[0]?.headers['authorization']).toBe(`Bearer ${TOKEN}`)
  })

  it('are taken out also where they are written with escapes, and where a refusal is cut', async () => {
    const service = await serve((request, response) => {
      const hidden = TOKEN.replaceAll(/[^]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
      if (request.url === '/orders/cut') response.writeHead(500).end(`${'x'.repeat(1990)}${TOKEN}`)
      else response.writeHead(200, { 'content-type': 'application/json' }).end(`{"a":"${hidden}"}`)
    })
    const { tool } = toolOf({ url: urlOf(service), headers, result: '/a' }, near(service, { secrets }))
    expect(await run(tool, { id: '1' })).toBe('[secret]')
    const whole = toolOf({ url: urlOf(service), headers }, near(service, { secrets })).tool
    expect(await run(whole, { id: '1' })).toBe('{"a":"[secret]"}')
    expect(await refusalOf(tool, { id: 'cut' })).not.toContain('tok-')
  })

  it('are taken out where PHP escapes them within a text, and where they stand in an address', async () => {
    const token = 'tok/hunter2+a"b'
    const php = JSON.stringify({ token }).replaceAll('/', '\\/')
    const service = await serve((_request, response) =>
      response.end(`no: ${php} https://x.test/?t=${encodeURIComponent(token)}`),
    )
    const { tool } = toolOf({ url: urlOf(service), headers }, near(service, { secrets: { TOKEN: token } }))
    expect(await run(tool, { id: '1' })).toBe('no: {"token":"[secret]"} https://x.test/?t=[secret]')
  })

  it.each(['tok/hunter2+ä?', 'tok~hunter2>?>?>', 'eleven byte'])(
    'are taken out of base64, wherever they begin in it: %s',
    async (token) => {
      const encodings = ['base64', 'base64url'] as const
      const texts = ['', 'a', 'ab', 'Bearer '].flatMap((before) =>
        ['', '.', '..'].map((after) => before + token + after),
      )
      const said = texts.flatMap((text) => encodings.map((encoding) => Buffer.from(text).toString(encoding)))
      const service = await serve((_request, response) => response.end(said.join('\n')))
      const { tool } = toolOf({ url: urlOf(service), headers }, near(service, { secrets: { TOKEN: token } }))
      const lines = (await run(tool, { id: '1' })).split('\n')
      expect(lines).toHaveLength(said.length)
      // What is left beside the mask is of the characters around it.
      for (const line of lines)
        expect(line).toMatch(/^(?:QmVhcmVyI[A-Za-z]?|[A-Za-z]{0,3})\[secret\][A-Za-z0-9._-]{0,4}={0,2}$/)
    },
  )

  it('that are credentials in base64 are taken out as the service read them', async () => {
    const service = await serve((_request, response) => response.end('no parley:hunter2hunter2 (hunter2hunter2) here'))
    const token = Buffer.from('parley:hunter2hunter2').toString('base64')
    const { tool } = toolOf({ url: urlOf(service), headers }, near(service, { secrets: { TOKEN: token } }))
    expect(await run(tool, { id: '1' })).toBe('no [secret] ([secret]) here')
  })

  it('that are not set make no request, and the model is not told which', async () => {
    const service = await serve(json({}))
    const { tool } = toolOf({ url: urlOf(service), headers }, near(service))
    expect(await setupFault(run(tool, { id: '1' }))).toBe('SECRET_NOT_SET')
    expect(service.connections()).toBe(0)
  })
})

it('tells the model its name, description and closed schema', () => {
  const { tool } = toolOf({ url: 'https://api.test/{id}' })
  expect(tool.spec).toEqual({
    name: 'order',
    description: 'An order.',
    parameters: { additionalProperties: false, ...PARAMETERS },
  })
})
