/**
 * A canonical description of a valibot schema: plain data, equal for equal wires, whatever the order or the names in the
 * source. Throws at a part of valibot that it does not know, so that nothing of the wire goes unseen.
 */
export type Description =
  | string
  | number
  | boolean
  | null
  | readonly Description[]
  | { readonly [key: string]: Description }

type Node = Readonly<Record<string, unknown>>

export function describeSchema(schema: unknown): Description {
  const node = toNode(schema)
  const { pipe } = node
  if (Array.isArray(pipe))
    return { pipe: pipe.map((part, index) => (index === 0 ? describeShape(toNode(part)) : describePart(part))) }
  return describeShape(node)
}

function describePart(part: unknown): Description {
  const node = toNode(part)
  return node['kind'] === 'schema' ? describeSchema(node) : describeAction(node)
}

function describeShape(node: Node): Description {
  const { type } = node
  switch (type) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'unknown':
      return type
    case 'literal':
      return { literal: toPlain(node['literal']) }
    case 'picklist':
      return { oneOf: sorted(toList(node['options']).map(toPlain)) }
    case 'object':
      return { object: describeEntries(node) }
    case 'array':
      return { array: describeSchema(node['item']) }
    case 'union':
    case 'variant':
      return { oneOf: sorted(toList(node['options']).map(describeSchema)) }
    case 'nullable':
      return { nullable: describeSchema(node['wrapped']) }
    case 'optional': {
      const standard = node['default']
      return {
        optional: describeSchema(node['wrapped']),
        ...(standard === undefined ? {} : { default: toPlain(standard) }),
      }
    }
    default:
      throw new TypeError(`describeSchema does not know the schema ${String(type)}`)
  }
}

function describeEntries(node: Node): Description {
  const entries = Object.entries(toNode(node['entries'])).map(([key, entry]) => [key, describeSchema(entry)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What narrows or changes a value. Functions are named by what they say when they refuse. */
function describeAction(node: Node): Description {
  const { type, requirement } = node
  switch (type) {
    case 'regex':
      return { regex: String(requirement) }
    case 'min_length':
    case 'max_length':
    case 'min_value':
    case 'max_value':
      return { [type]: toPlain(requirement) }
    case 'integer':
    case 'safe_integer':
    case 'trim':
    case 'to_lower_case':
    case 'transform':
      return type
    case 'check':
      return { check: toPlain(node['message']) }
    default:
      throw new TypeError(`describeSchema does not know the action ${String(type)}`)
  }
}

function toNode(value: unknown): Node {
  if (typeof value !== 'object' || value === null) throw new TypeError('not a part of a schema')
  return Object.fromEntries(Object.entries(value))
}

function toList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('not a list')
  return value
}

function toPlain(value: unknown): Description {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  throw new TypeError(`not plain: ${typeof value}`)
}

function sorted(descriptions: readonly Description[]): readonly Description[] {
  return descriptions
    .map((each) => [JSON.stringify(each), each] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, each]) => each)
}
