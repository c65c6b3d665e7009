import * as v from 'valibot'

/** The schema with what editors show of its field. */
export function told<const S extends v.GenericSchema>(text: string, schema: S) {
  return v.pipe(schema, v.description(text))
}
