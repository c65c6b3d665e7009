import * as v from 'valibot'

/** The schema with what editors show of its field. */
export function told<const S extends v.GenericSchema>(text: string, schema: S) {
  return v.pipe(schema, v.description(text))
}

export const between = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max))

export const ToolName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -'))

/** Characters of an address. */
export const MAX_URL = 2000
