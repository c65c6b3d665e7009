import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { LoadSession } from '../load/session.ts'
import { HandshakeRefused } from '../load/socket.ts'
import { BenchError, type OutsideOptions } from '../rig/options.ts'
import type { Contender, Start } from './contender.ts'

const ANSWER_MS = 10_000
/** The only model that streams a text known beforehand, and costs nothing. */
const COUNTING_MODEL = 'scripted/'
const NUMBERS = 3

/** A server that somebody else started, and keeps. */
export function outside({ target }: OutsideOptions): Start {
  const contender: Contender = {
    name: 'Parley',
    process: undefined,
    target,
    databasePid: undefined,
    store: undefined,
    restart: () => Promise.reject(new Error('the server is not the bench’s to start anew')),
    stop: () => Promise.resolve(),
  }
  return () => Promise.resolve(contender)
}

/**
 * One session before thousands: throws a `BenchError` that says what is wrong with the address, the key, the App or, where answers
 * are asked for (`counts`), the model.
 */
export async function greet({ url, target }: OutsideOptions, counts: boolean): Promise<void> {
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  const sink = { token: () => {}, first: () => {}, stopped: () => {}, tokenAfterAck: () => {}, fault: fail }
  const within = <Result>(work: Promise<Result>, silence: string): Promise<Result> => {
    const late = sleep(ANSWER_MS, undefined, { ref: false }).then(() => {
      throw new BenchError(`${url} ${silence} within ${ANSWER_MS / 1000} s`)
    })
    return Promise.race([work, failed, late])
  }
  try {
    const opening = LoadSession.open(target, randomUUID(), undefined, sink)
    const session = await within(opening, 'lets no session in')
    try {
      if (!counts) return
      if (!session.model.startsWith(COUNTING_MODEL))
        throw new BenchError(
          `the App's model is ${session.model}: only scripted/demo streams a text that can be checked, and costs nothing. ` +
            '`connect` needs no model',
        )
      const tag = `hello-${randomUUID().slice(0, 8)}`
      await within(session.run({ tokens: NUMBERS, rate: 0, apart: false, tag }), 'does not count to three')
    } finally {
      session.leave()
    }
  } catch (error) {
    throw explained(url, error)
  }
}

/** What the system says of an address, in words. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ETIMEDOUT: 'it does not answer',
  ECONNRESET: 'it cut the connection',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks no TLS there: ws:// instead of wss://',
}

function explained(url: string, error: unknown): BenchError {
  if (error instanceof BenchError) return error
  if (error instanceof HandshakeRefused) return new BenchError(`${url} refuses the handshake: ${error.message}`)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const words = UNREACHABLE[code] ?? (error instanceof Error ? error.message : String(error))
  return new BenchError(`${url}: ${words}`)
}
