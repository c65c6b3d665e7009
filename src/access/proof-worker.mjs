// @ts-check
// A thread that proves secrets of keys, one after the other. Plain JavaScript: Node runs it in a thread of its own as it stands, from src
// and from dist. First it says which thread of the process it is, so that it can be given the priority of idle time.

import { readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { verifySync } from '@node-rs/argon2'

parentPort?.on('message', ({ id, stored, secret }) =>
  parentPort?.postMessage({ id, proven: proves(stored, secret) }, []),
)
parentPort?.postMessage({ thread: basename(readlinkSync('/proc/thread-self')) }, [])

/**
 * @param {string} stored
 * @param {string} secret
 */
function proves(stored, secret) {
  try {
    return verifySync(stored, secret)
  } catch {
    // A row that was written by hand: no secret can match it.
    return false
  }
}
