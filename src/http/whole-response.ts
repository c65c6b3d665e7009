import { PlainBody } from '../ports/plain-body.ts'
import { PlainHeaders } from '../ports/plain-headers.ts'

type Init = { readonly status?: number; readonly headers: Readonly<Record<string, string>> }

const OK = 200
const [FIRST_OK, FIRST_NOT_OK] = [200, 300]

/**
 * A response of a text that is at hand, or of no body (null): headers, whose names are in lower case, and text go to the transport
 * as they are. The platform's, with its stream, is made when it is asked for.
 */
export class WholeResponse extends PlainBody implements Response {
  readonly status: number
  readonly statusText = ''
  readonly headers: PlainHeaders
  readonly type = 'default'
  readonly url = ''
  readonly redirected = false
  /** Null: there is none. */
  readonly content: string | null
  #made: Response | undefined

  constructor(content: string | null, { status = OK, headers }: Init) {
    super()
    this.status = status
    this.headers = new PlainHeaders(Object.entries(headers))
    this.content = content
  }

  get ok(): boolean {
    return this.status >= FIRST_OK && this.status < FIRST_NOT_OK
  }

  get body() {
    return this.whole.body
  }

  get bodyUsed(): boolean {
    return this.#made?.bodyUsed === true
  }

  clone() {
    return this.whole.clone()
  }

  protected get whole(): Response {
    this.#made ??= new Response(this.content, { status: this.status, headers: [...this.headers] })
    return this.#made
  }
}
