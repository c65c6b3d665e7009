import type { APIError } from 'openai'
import type { Dialect } from './openai-messages.ts'

/** What a model may have to teach: the name of the limit, and that it takes tools only without reasoning. */
const MAX_LESSONS = 2
const BAD_REQUEST = 400

/**
 * How each model has to be asked. Models behind one API differ in it and no list of them stays true, so their refusals are
 * learned from: it costs one refused request for each model and process.
 */
export class Dialects {
  readonly #first: Dialect
  /** As many entries as Apps name models. */
  readonly #learned = new Map<string, Dialect>()

  /** @param own true for OpenAI's own API */
  constructor(own: boolean) {
    this.#first = { limit: own ? 'max_completion_tokens' : 'max_tokens', toolsWithoutReasoning: false }
  }

  /** Sends in the model's dialect, and again for each lesson. Throws what `send` throws. */
  async speak<T>(model: string, send: (dialect: Dialect) => Promise<T>, isError: IsError): Promise<T> {
    for (let lessons = 0; ; lessons += 1) {
      const dialect = this.#learned.get(model) ?? this.#first
      try {
        return await send(dialect)
      } catch (thrown) {
        const lesson = lessons < MAX_LESSONS && isError(thrown) ? learn(dialect, thrown) : undefined
        if (lesson === undefined) throw thrown
        this.#learned.set(model, lesson)
      }
    }
  }
}

type IsError = (thrown: unknown) => thrown is APIError

/** What a refusal says of the dialect; undefined when it is about something else. */
function learn(dialect: Dialect, { status, code, param }: APIError): Dialect | undefined {
  if (status !== BAD_REQUEST) return undefined
  if (param === 'reasoning_effort' && !dialect.toolsWithoutReasoning) return { ...dialect, toolsWithoutReasoning: true }
  if (code !== 'unsupported_parameter' || param !== dialect.limit) return undefined
  return { ...dialect, limit: dialect.limit === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens' }
}
