/** `{secret:NAME}` in a definition: the value of a variable of the operator's. */
const SECRET = /\{secret:([^{}]*)\}/g

/**
 * What a definition sends of the operator's secrets that `stored` does not send to the same place already. The operator names
 * secrets for all Apps of the server; an account that could send any of them anywhere would read them at its own address.
 */
export function newSecretUses(definition: unknown, stored: unknown): string[] {
  const known = new Set(usesOf(stored))
  return [...new Set(usesOf(definition).filter((use) => !known.has(use)))]
}

/**
 * `NAME to https://host`, for each. The place is made of the addresses of all objects around: an inner one could be anything,
 * such as a header that is called so.
 */
function usesOf(part: unknown, places: readonly string[] = []): string[] {
  if (typeof part === 'string')
    return [...part.matchAll(SECRET)].map(([, name]) => `${name ?? ''} to ${places.join(' ')}`)
  if (Array.isArray(part)) return part.flatMap((item) => usesOf(item, places))
  if (typeof part !== 'object' || part === null) return []
  const around = 'url' in part && typeof part.url === 'string' ? [...places, originOf(part.url)] : places
  return Object.values(part).flatMap((item) => usesOf(item, around))
}

/** An address whose host is not certain is a place of its own. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url
}
