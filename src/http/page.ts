import { Hono } from 'hono'
import { ParleyError } from '../protocol/errors.ts'
import { type Asset, type Encoding, loadAssets } from './assets.ts'
import { type HttpContext, type HttpEnv, refuseMethod } from './responses.ts'
import { WholeResponse } from './whole-response.ts'

export type PageParts = {
  /** The folder that the build writes what browsers load into. */
  readonly assets: string
  readonly isKnownHost: (host: string | undefined) => boolean
}

const PAGE = 'page.html'
/** What other sites load by a script element. */
const WIDGET = /^widget\b/
const READS = 'GET, HEAD'

/** Names carry no version unless they are hashed: ask each time, and mostly hear "not modified". */
const REVALIDATE = 'no-cache'
/** Seconds in a year, the longest that caches keep. */
const FOREVER = 'public, max-age=31536000, immutable'
/** Five minutes: visitors of a busy site do not ask at every page, and a fix still arrives soon. */
const WIDGET_CACHE = 'public, max-age=300'

/** The page, and every file that a browser loads. */
export function pageRoutes({ assets, isKnownHost }: PageParts): Hono<HttpEnv> {
  const files = loadAssets(assets)
  const routes = new Hono<HttpEnv>()
  routes.get('/*', async (c) => {
    const name = c.req.path === '/' ? PAGE : c.req.path.slice(1)
    const asset = files.get(name)
    if (asset === undefined) throw new ParleyError('not_found', { message: 'There is nothing at this path' })
    if (!asset.type.startsWith('text/html')) return serve(c, asset, fileHeaders(asset))
    if (!isKnownHost(c.req.header('host'))) return refuseHost()
    return serve(c, asset, pageHeaders(c.req.header('host')))
  })
  routes.on(['POST', 'PUT', 'PATCH', 'DELETE'], '/*', (c) => {
    if (c.req.path === '/' || files.has(c.req.path.slice(1))) return refuseMethod(READS)()
    throw new ParleyError('not_found', { message: 'There is nothing at this path' })
  })
  return routes
}

async function serve(c: HttpContext, asset: Asset, headers: Record<string, string>): Promise<Response> {
  const { body, coding } = await pickEncoding(asset, c.req.header('accept-encoding') ?? '')
  const tag = `"${asset.version}${coding === undefined ? '' : `-${coding}`}"`
  const common = { ...headers, etag: tag, vary: 'accept-encoding', 'x-content-type-options': 'nosniff' }
  if (isSameVersion(c.req.header('if-none-match'), tag))
    return new WholeResponse(null, { status: 304, headers: common })
  const content: Record<string, string> = { 'content-type': asset.type, 'content-length': String(body.length) }
  if (coding !== undefined) content['content-encoding'] = coding
  return new Response(body, { headers: { ...common, ...content } })
}

const CODINGS: readonly Encoding[] = ['br', 'gzip']

/** The smallest form of the file that the browser takes. */
async function pickEncoding(asset: Asset, accepted: string): Promise<{ body: Asset['body']; coding?: Encoding }> {
  const parts = accepted.toLowerCase().split(',')
  for (const coding of CODINGS) {
    const part = parts.map((each) => each.trim()).find((each) => each.split(';', 1)[0] === coding)
    const body = part === undefined || /;\s*q=0(?:\.0*)?$/.test(part) ? undefined : await asset.encoded(coding)
    if (body !== undefined) return { body, coding }
  }
  return { body: asset.body }
}

function isSameVersion(header: string | undefined, tag: string): boolean {
  return header !== undefined && header.split(',').some((each) => each.trim().replace(/^W\//, '') === tag)
}

function fileHeaders(asset: Asset): Record<string, string> {
  const isWidget = WIDGET.test(asset.name)
  const cache = asset.isImmutable ? FOREVER : isWidget ? WIDGET_CACHE : REVALIDATE
  if (!isWidget) return { 'cache-control': cache, 'cross-origin-resource-policy': 'same-origin' }
  // Other sites may load it, and check it with `integrity`, which takes CORS.
  return { 'cache-control': cache, 'cross-origin-resource-policy': 'cross-origin', 'access-control-allow-origin': '*' }
}

/** A header that could break out of the policy it is put into is left out. */
const PLAIN_HOST = /^[A-Za-z0-9._:[\]-]{1,255}$/

function pageHeaders(host: string | undefined): Record<string, string> {
  const sockets = host !== undefined && PLAIN_HOST.test(host) ? ` ws://${host} wss://${host}` : ''
  const policy = [
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    // No pictures from elsewhere: an answer of a model could send what it knows with their address.
    "img-src 'self' data:",
    `connect-src 'self'${sockets}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return {
    'cache-control': REVALIDATE,
    'content-security-policy': policy.join('; '),
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
  }
}

/** In words for the person who set the server up: only they see it in good faith. */
function refuseHost(): Response {
  const text =
    'This server does not know the name it was called by.\n' +
    'If the name is right, set PARLEY_ORIGINS to the address of this page, such as https://chat.example.com, and restart.\n'
  return new WholeResponse(text, {
    status: 403,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}
