import type { AppLimits } from '../ports/apps.ts'

/** The server's own figures; what is absent has no bound. */
export type ServerLimits = Readonly<Record<keyof AppLimits, number | undefined>>

/**
 * The first limit by which a definition asks for more than the server gives every App and the stored one has: such a bound is
 * the operator's, who pays for the tokens.
 */
export function limitAbove(
  definition: unknown,
  stored: unknown,
  server: ServerLimits,
): { readonly name: string; readonly most: number } | undefined {
  const [asked, has] = [limitsOf(definition), limitsOf(stored)]
  for (const [name, own] of Object.entries(server)) {
    const most = own === undefined ? Number.POSITIVE_INFINITY : Math.max(own, has(name) ?? 0)
    if ((asked(name) ?? 0) > most) return { name, most }
  }
  return undefined
}

/** By name; undefined where there is none, as in a row that nobody can read. */
function limitsOf(definition: unknown): (name: string) => number | undefined {
  const limits: unknown = Reflect.get(Object(definition), 'limits')
  return (name) => {
    const value: unknown = Reflect.get(Object(limits), name)
    return typeof value === 'number' ? value : undefined
  }
}
