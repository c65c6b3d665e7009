/** Planted where nothing may come out of; each is one word, so that no cutting or escaping hides it. */
export const CANARY = {
  /** In bodies of the API's that are no answer. */
  body: 'canarybodyq7x',
  /** In a header of every answer of the API's. */
  header: 'canaryheaderq7x',
  /** In the key that Parley sends. */
  key: 'sk-ant-canarykeyq7x',
  /** In what people and the model say: for them, not for the log. */
  words: 'canarywordsq7x',
} as const

/** Where a stack, a place in our files or the API's address would show. */
const STACK = /\n\s+at |\.[jt]s:\d+|node:internal|ECONN|undici/

export type Places = {
  readonly frames: readonly string[]
  readonly log: readonly string[]
  readonly rows: readonly string[]
  /** The API's address, which only the operator's log may name. */
  readonly upstream: string
}

/** Everything internal that got out (I11). */
export function leaks({ frames, log, rows, upstream }: Places): string[] {
  const { body, header, key, words } = CANARY
  const found: string[] = []
  const search = (place: string, texts: readonly string[], secrets: readonly string[]): void => {
    for (const secret of secrets) {
      const hit = texts.find((text) => text.includes(secret))
      if (hit !== undefined) found.push(`I11: ${secret} got into ${place}: ${around(hit, hit.indexOf(secret))}`)
    }
  }
  search('a frame', frames, [body, header, key, 'canarykey', upstream, 'internal.example'])
  search('the database', rows, [body, header, key, 'canarykey', upstream, 'internal.example'])
  search('the log', log, [body, header, key, 'canarykey', words, 'internal.example'])
  for (const text of [...frames, ...rows]) {
    const at = text.search(STACK)
    if (at !== -1) found.push(`I11: a stack or a system's word got out: ${around(text, at)}`)
  }
  return found
}

const AROUND = 80

function around(text: string, at: number): string {
  return text.slice(Math.max(0, at - AROUND), at + AROUND)
}
