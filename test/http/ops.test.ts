import { afterEach, describe, expect, it } from 'vitest'
import { openSite, type Site, type SiteOptions } from './fakes.ts'

let site: Site
const local = { address: '127.0.0.1' }

function open(options: SiteOptions = {}): Site {
  site = openSite(options)
  return site
}
afterEach(() => site.close())

describe('/healthz and /readyz', () => {
  it('say that the process is alive, whatever else', async () => {
    open().reasons.push('store_unavailable')
    expect((await site.ask('/healthz')).status).toBe(200)
  })

  it('say why the server should get no traffic', async () => {
    open()
    expect((await site.ask('/readyz')).status).toBe(200)
    site.reasons.push('draining', 'store_unavailable')
    const answer = await site.ask('/readyz')
    expect(answer.status).toBe(503)
    expect(await answer.json()).toEqual({ status: 'not ready', reasons: ['draining', 'store_unavailable'] })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it('answer HEAD without a body, and nothing but reads', async () => {
    open()
    const head = await site.ask('/healthz', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const post = await site.ask('/healthz', { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

describe('a server where HTTPS is required', () => {
  const header = async (peer: object, headers = {}): Promise<string | null> =>
    (await site.ask('/healthz', { headers }, peer)).headers.get('strict-transport-security')

  it('tells browsers that came over TLS to come by nothing else', async () => {
    open({ requireHttps: true })
    expect(await header({ secure: true })).toBe('max-age=31536000')
    expect(await header({}, { 'x-forwarded-proto': 'https' })).toBe('max-age=31536000')
    expect(await header({})).toBeNull()
    await site.close()
    open()
    expect(await header({ secure: true })).toBeNull()
  })

  it('refuses what asks for more than files and health without it', async () => {
    open({ requireHttps: true })
    const { key } = await site.addKey('secret')
    const ask = (path: string, peer = {}): Promise<Response> => site.ask(path, { headers: { 'x-api-key': key } }, peer)
    for (const path of ['/v1/sessions?app=alpha', '/v1/auth/test']) {
      const refused = await ask(path)
      expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('insecure_connection')])
      expect((await ask(path, { secure: true })).status).toBe(200)
    }
  })
})

describe('/metrics', () => {
  it('are for this machine', async () => {
    open()
    const answer = await site.ask('/metrics', {}, local)
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(await answer.text()).toBe('parley_connections 1\n')
    expect((await site.ask('/metrics', {}, { address: '::1' })).status).toBe(200)
  })

  it.each([
    ['another machine', {}, {}],
    ['someone behind a proxy on this machine', { 'x-forwarded-for': '127.0.0.1' }, local],
    ['a page whose name resolves to this machine', { host: 'evil.example:8080' }, local],
  ])('are refused to %s', async (_who, headers, peer) => {
    open()
    expect((await site.ask('/metrics', { headers }, peer)).status).toBe(403)
  })

  it('are for all when PARLEY_METRICS is public', async () => {
    open({ metricsPublic: true })
    expect((await site.ask('/metrics', { headers: { host: 'parley.internal' } })).status).toBe(200)
  })
})

describe('a path that is not there', () => {
  it('is answered in the error envelope', async () => {
    open()
    for (const path of ['/nowhere', '/v1/nowhere', '/..%2f..%2fetc/passwd']) {
      const answer = await site.ask(path)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ error: { code: 'not_found' } })
    }
  })
})
