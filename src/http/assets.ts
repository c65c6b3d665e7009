import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
}
const COMPRESSED_ALREADY = new Set(['.png', '.ico'])
/** Bytes: below this a compressed file is hardly smaller and costs a round of work in the browser. */
const MIN_COMPRESSED = 1024
/** Base64 characters of a file's SHA-256 that name its version: 96 bits. */
const TAG_LENGTH = 16
/** `page-3F2A9C41.js`, as the bundler names: another content gets another name. */
const HASHED_NAME = /-[0-9A-Z]{8}\.[a-z]+$/

const compress = promisify(gzip)

export type Encoding = 'br' | 'gzip'

export type Asset = {
  readonly name: string
  readonly type: string
  /** Without quotes. */
  readonly version: string
  readonly isImmutable: boolean
  readonly body: Uint8Array<ArrayBuffer>
  /** The body in this encoding; undefined when the file does not come in it. */
  readonly encoded: (encoding: Encoding) => Promise<Uint8Array<ArrayBuffer> | undefined>
}

/** All files of `folder`, by name, held in memory: they are few and small. Empty when the folder is not there. */
export function loadAssets(folder: string): ReadonlyMap<string, Asset> {
  if (!existsSync(folder)) return new Map()
  const names = readdirSync(folder).filter((name) => TYPES[extname(name)] !== undefined)
  return new Map(names.map((name) => [name, loadAsset(folder, name)]))
}

function loadAsset(folder: string, name: string): Asset {
  const [path, extension] = [join(folder, name), extname(name)]
  const body = new Uint8Array(readFileSync(path))
  const squeezable = body.length >= MIN_COMPRESSED && !COMPRESSED_ALREADY.has(extension)
  return {
    name,
    type: TYPES[extension] ?? 'application/octet-stream',
    version: createHash('sha256').update(body).digest('base64url').slice(0, TAG_LENGTH),
    isImmutable: HASHED_NAME.test(name),
    body,
    encoded: squeezable ? encodings(path, body) : async () => undefined,
  }
}

/** What the build left beside the file; gzip is made at its first use otherwise, once. */
function encodings(path: string, body: Uint8Array<ArrayBuffer>): Asset['encoded'] {
  const brotli = readIfThere(`${path}.br`)
  const built = readIfThere(`${path}.gz`)
  let zipped: Promise<Uint8Array<ArrayBuffer>> | undefined
  return async (encoding) => {
    if (encoding === 'br') return brotli
    zipped ??= built === undefined ? compress(body).then((bytes) => new Uint8Array(bytes)) : Promise.resolve(built)
    return zipped
  }
}

function readIfThere(path: string): Uint8Array<ArrayBuffer> | undefined {
  return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined
}
