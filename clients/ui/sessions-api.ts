import * as v from 'valibot'
import { DONE, type Failure, type Outcome } from '../core/outcome.ts'
import type { ShelvedSession } from './session-shelf.ts'

export type ApiOptions = { readonly baseUrl: string; readonly app: string; readonly key?: string }

const ListSchema = v.object({
  sessions: v.array(v.object({ id: v.string(), title: v.optional(v.string()), updatedAt: v.string() })),
})
const RefusalSchema = v.object({ error: v.object({ code: v.string(), message: v.string() }) })

const UNREACHABLE: Failure = {
  ok: false,
  code: 'unreachable',
  message: 'The server cannot be reached',
  retryable: true,
}
const SERVER_ERROR = 500

/** Conversations by HTTP: what can be done to one that is not open. */
export class SessionsApi {
  readonly #options: ApiOptions

  constructor(options: ApiOptions) {
    this.#options = options
  }

  /** Empty for visitors without an account, and when the server cannot say. */
  async list(): Promise<readonly ShelvedSession[]> {
    const answer = await this.#ask('GET', '')
    if (!(answer instanceof Response)) return []
    const parsed = v.safeParse(ListSchema, await answer.json().catch(() => undefined))
    if (!parsed.success) return []
    return parsed.output.sessions.map(({ updatedAt, ...session }) => ({ ...session, updatedAt: Date.parse(updatedAt) }))
  }

  rename(id: string, title: string): Promise<Outcome> {
    return this.#change('PATCH', id, { title })
  }

  delete(id: string): Promise<Outcome> {
    return this.#change('DELETE', id)
  }

  async #change(method: string, id: string, body?: unknown): Promise<Outcome> {
    const answer = await this.#ask(method, `/${id}`, body)
    return answer instanceof Response ? DONE : answer
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Response | Failure> {
    const { baseUrl, app, key } = this.#options
    try {
      const response = await fetch(`${baseUrl}/v1/sessions${path}?${new URLSearchParams({ app })}`, {
        method,
        headers: {
          ...(key === undefined ? {} : { 'x-api-key': key }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return response.ok ? response : await failureOf(response)
    } catch {
      // fetch tells no more than that nothing came back.
      return UNREACHABLE
    }
  }
}

async function failureOf(response: Response): Promise<Failure> {
  const parsed = v.safeParse(RefusalSchema, await response.json().catch(() => undefined))
  const retryable = response.status >= SERVER_ERROR
  if (parsed.success) return { ok: false, ...parsed.output.error, retryable }
  return { ok: false, code: `http_${response.status}`, message: `The server answered ${response.status}`, retryable }
}
