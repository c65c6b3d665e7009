type Schema = Readonly<Record<string, unknown>>

/** True when the value fits the schema, by the few keywords that our tools use. An unknown keyword throws. */
export function fits(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, rule]) => fitsRule(keyword, rule, schema, value))
}

function fitsRule(keyword: string, rule: unknown, schema: Schema, value: unknown): boolean {
  switch (keyword) {
    case 'type':
      return typeOf(value).includes(String(rule))
    case 'enum':
      return Array.isArray(rule) && rule.includes(value)
    case 'minimum':
      return typeof value !== 'number' || value >= Number(rule)
    case 'maximum':
      return typeof value !== 'number' || value <= Number(rule)
    case 'minLength':
      return typeof value !== 'string' || value.length >= Number(rule)
    case 'maxLength':
      return typeof value !== 'string' || value.length <= Number(rule)
    case 'pattern':
      return typeof value !== 'string' || new RegExp(String(rule)).test(value)
    case 'minItems':
      return !Array.isArray(value) || value.length >= Number(rule)
    case 'maxItems':
      return !Array.isArray(value) || value.length <= Number(rule)
    case 'items':
      return !Array.isArray(value) || (isSchema(rule) && value.every((item) => fits(rule, item)))
    case 'required':
      return !isSchema(value) || (Array.isArray(rule) && rule.every((name) => Object.hasOwn(value, String(name))))
    case 'properties':
      return !isSchema(value) || Object.entries(value).every(([name, item]) => fitsProperty(rule, name, item))
    case 'description':
      return true
    default:
      throw new Error(`the keyword ${keyword} of ${JSON.stringify(schema)} is not known here`)
  }
}

function fitsProperty(properties: unknown, name: string, value: unknown): boolean {
  const schema = isSchema(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined
  return schema === undefined || (isSchema(schema) && fits(schema, value))
}

function typeOf(value: unknown): readonly string[] {
  if (value === null) return ['null']
  if (Array.isArray(value)) return ['array']
  return Number.isInteger(value) ? ['integer', 'number'] : [typeof value]
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
