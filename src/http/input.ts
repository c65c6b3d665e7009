import * as v from 'valibot'
import { isDeeperThan } from '../protocol/codec.ts'
import { ParleyError } from '../protocol/errors.ts'
import { IN_WORDS, PARAMETERS_IN_WORDS } from '../protocol/in-words.ts'
import { MAX_JSON_DEPTH } from '../protocol/limits.ts'
import type { HttpContext } from './responses.ts'

/** Bytes of a body of the session routes: a title and what stands around it, every character escaped. */
const MAX_BODY = 8 * 1024

/** Reads a body by `schema`; throws `bad_request` that names the field. */
export function readInput<T>(schema: v.GenericSchema<unknown, T>, input: unknown): T {
  return read(schema, input, IN_WORDS)
}

/** Reads what stands in the address, as `readInput` reads a body. */
export function readParameters<T>(schema: v.GenericSchema<unknown, T>, input: Readonly<Record<string, unknown>>): T {
  return read(schema, input, PARAMETERS_IN_WORDS)
}

function read<T>(schema: v.GenericSchema<unknown, T>, input: unknown, words: typeof IN_WORDS): T {
  const parsed = v.safeParse(schema, input, { ...words, abortEarly: true })
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  throw badRequest(`${v.getDotPath(issue) ?? 'the body'}: ${issue.message}`)
}

/** The request's JSON body; throws `bad_request` or `message_too_large`. */
export async function readJson(c: HttpContext, maxBytes = MAX_BODY): Promise<unknown> {
  const type = c.req.header('content-type') ?? ''
  // Also what keeps plain HTML forms of other sites out.
  if (!/^application\/json\s*(?:;|$)/i.test(type)) throw badRequest('The body must be application/json')
  return parseJson(await readText(c.req.raw.body, maxBytes))
}

/** Throws `bad_request`; what is not JSON is named by `name`. */
export function parseJson(text: string, name = 'The body'): unknown {
  if (isDeeperThan(text, MAX_JSON_DEPTH)) throw badRequest(`JSON nests deeper than ${MAX_JSON_DEPTH}`)
  try {
    return JSON.parse(text)
  } catch {
    throw badRequest(`${name} is not JSON`)
  }
}

async function readText(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let [size, text] = [0, '']
  try {
    for await (const chunk of body ?? []) {
      size += chunk.length
      if (size > maxBytes) throw new ParleyError('message_too_large', { message: `The body exceeds ${maxBytes} bytes` })
      text += decoder.decode(chunk, { stream: true })
    }
    return text + decoder.decode()
  } catch (thrown) {
    if (thrown instanceof ParleyError) throw thrown
    if (thrown instanceof TypeError) throw badRequest('The body is not UTF-8')
    // All that is left is the transport's: the client is gone, and reads this no more.
    throw new ParleyError('bad_request', { message: 'The request ended before its body', cause: thrown })
  }
}

function badRequest(message: string): ParleyError {
  return new ParleyError('bad_request', { message })
}
