import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

export type TransportName = 'ws' | 'uws'

/** What is said where it is missing. */
export const NO_UWS = `uWebSockets.js has no binary for Node ${process.versions.node} on ${process.platform} ${process.arch}`

/**
 * The binary of uWebSockets.js for this Node and machine, in the project that the command runs in. It is not loaded: it reads
 * the limit of a request's head then, once.
 */
export function findUws(): string | undefined {
  const [major] = process.versions.node.split('.')
  const binary = resolve(`node_modules/@uwsjs/${process.platform}-${process.arch}-${major}/uws.node`)
  return existsSync(binary) ? binary : undefined
}

/** Those that this machine has. */
export const TRANSPORTS: readonly TransportName[] = findUws() === undefined ? ['ws'] : ['ws', 'uws']
