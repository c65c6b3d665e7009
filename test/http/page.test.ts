import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { openSite, SCRIPT, type Site, type SiteOptions } from './fakes.ts'

let site: Site

function open(options: SiteOptions = {}): Site {
  site = openSite(options)
  return site
}
afterEach(() => site.close())

function policy(answer: Response): Map<string, string[]> {
  const parts = (answer.headers.get('content-security-policy') ?? '').split('; ')
  return new Map(parts.map((part) => [part.split(' ')[0] ?? '', part.split(' ').slice(1)]))
}

describe('the page', () => {
  it('is at / and asked for anew each time', async () => {
    open()
    const answer = await site.ask('/')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-cache')
    expect(await answer.text()).toContain('<title>Parley</title>')
  })

  it('runs no script but its own, loads no picture from elsewhere and stands in no frame', async () => {
    open()
    const rules = policy(await site.ask('/', { headers: { host: 'localhost:8080' } }))
    expect(rules.get('default-src')).toEqual(["'self'"])
    expect(rules.get('script-src')).toEqual(["'self'"])
    expect(rules.get('style-src')).toEqual(["'self'"])
    expect(rules.get('img-src')).toEqual(["'self'", 'data:'])
    expect(rules.get('connect-src')).toEqual(["'self'", 'ws://localhost:8080', 'wss://localhost:8080'])
    for (const name of ['object-src', 'base-uri', 'frame-ancestors']) expect(rules.get(name)).toEqual(["'none'"])
  })

  it('sends the other headers that keep a browser careful', async () => {
    open()
    const { headers } = await site.ask('/')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('permissions-policy')).toContain('microphone=()')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  it('is not served under a name that the server does not know, and says what to set', async () => {
    open()
    for (const path of ['/', '/page.html']) {
      const answer = await site.ask(path, { headers: { host: 'evil.example' } })
      expect(answer.status).toBe(403)
      expect(await answer.text()).toContain('PARLEY_ORIGINS')
    }
  })

  it('puts no strange Host into its policy', async () => {
    open({ origins: ['*'] })
    const answer = await site.ask('/', { headers: { host: "x; script-src 'unsafe-inline'" } })
    expect(policy(answer).get('connect-src')).toEqual(["'self'"])
    expect(policy(answer).get('script-src')).toEqual(["'self'"])
  })

  it('answers HEAD like GET, and other methods with what it allows', async () => {
    open()
    const head = await site.ask('/', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect(head.headers.get('content-length')).not.toBe('0')
    const post = await site.ask('/', { method: 'POST', body: 'x' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect((await site.ask('/nowhere', { method: 'POST', body: 'x' })).status).toBe(404)
  })

  it('is not there when nothing was built', async () => {
    open({ assets: '/nowhere/at/all' })
    expect((await site.ask('/')).status).toBe(404)
  })
})

describe('a file of the page', () => {
  it('is compressed for those who take it, once, and says so', async () => {
    open()
    const plain = await site.ask('/page.js')
    expect(plain.headers.get('content-encoding')).toBeNull()
    expect(await plain.text()).toBe(SCRIPT)
    const packed = await site.ask('/page.js', { headers: { 'accept-encoding': 'deflate, gzip;q=0.8, br;q=0' } })
    expect(packed.headers.get('content-encoding')).toBe('gzip')
    expect(packed.headers.get('vary')).toBe('accept-encoding')
    const bytes = Buffer.from(await packed.arrayBuffer())
    expect(packed.headers.get('content-length')).toBe(String(bytes.length))
    expect(gunzipSync(bytes).toString()).toBe(SCRIPT)
    expect(packed.headers.get('etag')).not.toBe(plain.headers.get('etag'))
  })

  it('comes in the form that the build left beside it', async () => {
    open()
    const brotli = await site.ask('/built.js', { headers: { 'accept-encoding': 'gzip, br' } })
    expect([brotli.headers.get('content-encoding'), await brotli.text()]).toEqual(['br', 'pretend brotli'])
    const zipped = await site.ask('/built.js', { headers: { 'accept-encoding': 'gzip' } })
    expect(gunzipSync(Buffer.from(await zipped.arrayBuffer())).toString()).toBe(SCRIPT)
  })

  it('that is small is not compressed, nor when it is asked not to be', async () => {
    open()
    const small = await site.ask('/page.css', { headers: { 'accept-encoding': 'gzip' } })
    expect(small.headers.get('content-encoding')).toBeNull()
    const refused = await site.ask('/page.js', { headers: { 'accept-encoding': 'gzip;q=0' } })
    expect(refused.headers.get('content-encoding')).toBeNull()
  })

  it('is not sent again when the browser has it', async () => {
    open()
    const first = await site.ask('/page.js')
    const tag = first.headers.get('etag') ?? ''
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`]) {
      const again = await site.ask('/page.js', { headers: { 'if-none-match': known } })
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', tag])
    }
    expect((await site.ask('/page.js', { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
  })

  it('is kept for ever when its name changes with its content, else asked for anew', async () => {
    open()
    expect((await site.ask('/page-0A1B2C3D.js')).headers.get('cache-control')).toContain('immutable')
    for (const path of ['/page.js', '/page-messages.js']) {
      expect((await site.ask(path)).headers.get('cache-control')).toBe('no-cache')
    }
  })

  it('of another kind, in another folder or outside is not served', async () => {
    open()
    for (const path of ['/notes.secret', '/built.js.br', '/deeper/hidden.js', '/../package.json', '/page.js/']) {
      expect((await site.ask(path)).status).toBe(404)
    }
  })
})

describe('the widget', () => {
  it('may be loaded and checked by any site, and is kept for minutes', async () => {
    open()
    const { headers, status } = await site.ask('/widget.js', { headers: { origin: 'https://shop.example' } })
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    expect(headers.get('cache-control')).toBe('public, max-age=300')
    expect((await site.ask('/page.js')).headers.get('access-control-allow-origin')).toBeNull()
  })
})
