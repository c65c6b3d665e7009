import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { TlsFiles } from '../ports/transport.ts'

export type Certificate = { readonly cert: Buffer; readonly key: Buffer }

/**
 * Reads both files and looks whether they belong together, for any transport.
 * @throws Error in words for whoever set them, without anything of the key
 */
export function readCertificate({ certFile, keyFile }: TlsFiles): Certificate {
  const [cert, key] = [read(certFile, 'TLS_CERT_FILE'), read(keyFile, 'TLS_KEY_FILE')]
  try {
    createSecureContext({ cert, key })
  } catch (cause) {
    throw new Error('TLS_CERT_FILE and TLS_KEY_FILE hold no certificate in PEM form with its key', { cause })
  }
  return { cert, key }
}

function read(path: string, name: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Error(`${name} names a file that cannot be read: ${path}`, { cause })
  }
}
