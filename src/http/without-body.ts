import { WholeResponse } from './whole-response.ts'

/**
 * The answer to HEAD, of what GET would be answered. The router drops its body without a word: a stream that nobody ends would
 * keep its place for good.
 */
export async function withoutBody(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer
  if (response instanceof WholeResponse) return response
  await response.body?.cancel()
  return new Response(null, response)
}
