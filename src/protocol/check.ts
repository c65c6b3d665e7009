import * as v from 'valibot'
import { ParleyError } from './errors.ts'

/** `value` as `schema` reads it; throws `bad_request` that names `name` and the fault, never the value. */
export function check<S extends v.GenericSchema>(schema: S, value: unknown, name: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value)
  if (parsed.success) return parsed.output
  throw new ParleyError('bad_request', { message: `${name}: ${parsed.issues[0].message}` })
}
