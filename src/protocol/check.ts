import * as v from 'valibot'
import { ParleyError } from './errors.ts'
import { IN_WORDS } from './in-words.ts'

/** `value` as `schema` reads it; throws `bad_request` that names `name` and the fault, never the value. */
export function check<S extends v.GenericSchema>(schema: S, value: unknown, name: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, IN_WORDS)
  if (parsed.success) return parsed.output
  throw new ParleyError('bad_request', { message: faultIn(name, parsed.issues[0]) })
}

/** `resume.0.status: must be one of …`: the fault's place begins with `name`. */
export function faultIn(name: string, issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue)
  return `${path === null ? name : `${name}.${path}`}: ${issue.message}`
}
