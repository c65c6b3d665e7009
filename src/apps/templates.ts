import type { HeaderPiece, UrlPiece } from '../ports/apps.ts'

const PLACEHOLDER = /\{([^{}]*)\}/
const SECRET = /\{((?:secret|person):[A-Z][A-Z0-9_]{0,63})\}/
const PERSON = 'person:'
const OPERATOR = 'secret:'

/** `/orders/{id}` -> `/orders/`, the argument `id`. */
export function parseUrl(template: string): UrlPiece[] {
  return pieces(template, PLACEHOLDER, (argument) => ({ argument }))
}

/** `Bearer {secret:TOKEN}` -> `Bearer `, the operator's secret `TOKEN`; `{person:TOKEN}`: that of who asks. */
export function parseHeader(template: string): HeaderPiece[] {
  return pieces(
    template,
    SECRET,
    (named): HeaderPiece =>
      named.startsWith(PERSON) ? { own: named.slice(PERSON.length) } : { secret: named.slice(OPERATOR.length) },
  )
}

function pieces<T>(template: string, pattern: RegExp, toPiece: (name: string) => T): (string | T)[] {
  return template
    .split(pattern)
    .map((text, index) => (index % 2 === 1 ? toPiece(text) : text))
    .filter((piece) => piece !== '')
}

/** What is wrong with an address template for arguments of this schema; undefined: nothing. */
export function urlFault(template: string, schema: Readonly<Record<string, unknown>>): string | undefined {
  const parsed = parseUrl(template)
  const filled = parsed.map((piece) => (typeof piece === 'string' ? piece : 'x')).join('')
  if (!URL.canParse(filled)) return 'must be an address such as https://api.example.com/orders/{order}'
  const url = new URL(filled)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https:// (or http://)'
  if (url.username !== '' || url.password !== '') return 'must not hold a name or password: use a header with a secret'
  if (url.hash !== '') return 'must have no part after #'
  if (url.href !== filled) return `must be written as browsers write it, such as ${url.href}`
  if (!template.startsWith(`${url.origin}/`)) return 'must have no argument before the path'
  for (const piece of parsed) {
    const fault = typeof piece === 'string' ? undefined : placeholderFault(piece.argument, schema)
    if (fault !== undefined) return fault
  }
  return undefined
}

const SCALARS = ['string', 'number', 'integer', 'boolean']

function placeholderFault(name: string, schema: Readonly<Record<string, unknown>>): string | undefined {
  const required: unknown = schema['required']
  const properties: Record<string, unknown> = { ...Object(schema['properties']) }
  if (!Object.hasOwn(properties, name)) return `{${name}} is not among the properties of parameters`
  if (!Array.isArray(required) || !required.includes(name)) return `{${name}} must be required by parameters`
  const type: unknown = Reflect.get(Object(properties[name]), 'type')
  return typeof type === 'string' && SCALARS.includes(type)
    ? undefined
    : `{${name}} must be of type ${SCALARS.join(', ')}`
}

/** What is wrong with a header's value; undefined: nothing. `shared`: it is sent for many people at once, so it is nobody's own. */
export function headerFault(template: string, shared: boolean): string | undefined {
  const parsed = parseHeader(template)
  if (shared && parsed.some((piece) => typeof piece === 'object' && 'own' in piece))
    return 'may not hold {person:NAME}: the connection is one for all who use the App'
  const rest = parsed.filter((piece) => typeof piece === 'string')
  if (rest.some((text) => /[{}]/.test(text))) return 'may hold {secret:NAME} and {person:NAME}, and no other braces'
  return rest.every((text) => /^[\t\x20-\x7e]*$/.test(text)) ? undefined : 'must be of printable ASCII characters'
}
