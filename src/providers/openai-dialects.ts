import type { APIError } from 'openai'
import type { Dialect } from './openai-messages.ts'

/** What a model may have to teach: the name of the limit, that it takes tools only without reasoning, and two of what was thought. */
const MAX_LESSONS = 4
const BAD_REQUEST = 400
/** What servers that check each field of a request answer to one they do not know. */
const UNPROCESSABLE = 422

/** DeepSeek, Kimi, Groq and Mistral have no code for it: only the field's name in a message says what is amiss. */
const OF_THOUGHTS = /\b(?:reasoning_content|reasoning_details|extra_content)\b|[.'"`]reasoning\b/

/** Those that miss a thought name it as well as those that refuse one. */
const NEXT_THOUGHTS = { kept: 'always', always: 'never', never: 'kept' } as const

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
    this.#first = {
      limit: own ? 'max_completion_tokens' : 'max_tokens',
      toolsWithoutReasoning: false,
      thoughts: 'kept',
    }
  }

  /** Sends in the model's dialect, and again for each lesson. Throws what `send` throws. */
  async speak<T>(model: string, send: (dialect: Dialect) => Promise<T>, isError: IsError): Promise<T> {
    const start = this.#learned.get(model) ?? this.#first
    const tried = new Set<string>()
    for (let dialect = start; ; dialect = this.#learned.get(model) ?? start) {
      tried.add(keyOf(dialect))
      try {
        return await send(dialect)
      } catch (thrown) {
        const lesson = isError(thrown) ? learn(dialect, thrown) : undefined
        if (lesson === undefined) throw thrown
        const isNew = tried.size <= MAX_LESSONS && !tried.has(keyOf(lesson))
        // Refused in each way: it was about something else.
        this.#learned.set(model, isNew ? lesson : start)
        if (!isNew) throw thrown
      }
    }
  }
}

function keyOf({ limit, toolsWithoutReasoning, thoughts }: Dialect): string {
  return `${limit} ${toolsWithoutReasoning} ${thoughts}`
}

type IsError = (thrown: unknown) => thrown is APIError

/** What a refusal says of the dialect; undefined when it is about something else. */
function learn(dialect: Dialect, { status, code, param, message }: APIError): Dialect | undefined {
  if (status !== BAD_REQUEST && status !== UNPROCESSABLE) return undefined
  if (param === 'reasoning_effort' && !dialect.toolsWithoutReasoning) return { ...dialect, toolsWithoutReasoning: true }
  if (code === 'unsupported_parameter' && param === dialect.limit)
    return { ...dialect, limit: dialect.limit === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens' }
  return OF_THOUGHTS.test(message) ? { ...dialect, thoughts: NEXT_THOUGHTS[dialect.thoughts] } : undefined
}
