import * as v from 'valibot'
import { StorableText } from '../../protocol/messages.ts'
import { parseJson, readInput, readJson } from '../input.ts'
import { type HttpContext, json } from '../responses.ts'
import { admitNamed, storedSession } from './admit.ts'
import { answerNotServed } from './control.ts'
import type { Aomi } from './parts.ts'
import { namedSessionId } from './request.ts'

/** Bytes of a body: as many transactions as are taken, with data. */
const MAX_BODY = 256 * 1024
/** What a wallet sends together, twice over. */
const MAX_TRANSACTIONS = 20
const FAILED = 500

const Body = v.object({
  transactions: v.pipe(v.array(v.record(v.string(), v.unknown())), v.minLength(1), v.maxLength(MAX_TRANSACTIONS)),
  from: v.optional(v.nullable(StorableText)),
  chain_id: v.optional(v.nullable(v.number())),
})
const Wrapped = v.looseObject({ result: v.unknown() })

/** `POST /api/simulate`: a call of the tool that the App names for it. Of all paths this one's errors are read by the clients. */
export async function simulate(c: HttpContext, aomi: Aomi): Promise<Response> {
  const { transactions, from, chain_id } = readInput(Body, await readJson(c, MAX_BODY))
  const known = await storedSession(aomi, namedSessionId(c))
  const { app, sender } = await admitNamed(c, aomi, known, 'write')
  const tool = (await aomi.apps.get(app))?.aomi?.simulate
  if (tool === undefined) return answerNotServed('simulate transactions for this App: it names no tool for that')
  const args = { transactions, ...(from ? { from } : {}), ...(chain_id ? { chain_id } : {}) }
  const answer = await aomi.conversations.callTool(sender, app, { name: tool, args, signal: c.req.raw.signal })
  if (answer === undefined) return answerNotServed('have the tool that this App names for simulating transactions')
  if (answer.isError) return failed(answer.text)
  try {
    const result = parseJson(answer.text)
    const body = v.is(Wrapped, result) ? { result: result.result } : { result }
    return json(body)
  } catch {
    return failed('The tool that simulates transactions did not answer in JSON.')
  }
}

function failed(error: string): Response {
  return json({ error, code: 'tool_failed' }, FAILED)
}
