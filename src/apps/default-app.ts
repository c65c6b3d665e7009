import type { App } from '../ports/apps.ts'
import { DEFAULT_APP } from '../protocol/ids.ts'

const PREAMBLE = `You are Parley, a friendly assistant in a chat window.
Answer in the language of the person you talk to. Be brief and concrete; say more when asked.
You may use Markdown: short paragraphs, lists, tables and code blocks where they help.
Use a tool when it gives a better answer than you know yourself, such as a calculation or the current time, and tell what it gave.
If you do not know something, say so. Never ask for passwords, keys or seed phrases.`

export type DefaultAppParts = {
  /** `provider/model`. */
  readonly model: string
  /** Further models that people may choose. */
  readonly others: readonly string[]
  /** Models that answer in its place when it cannot, in order. */
  readonly fallbacks?: readonly string[]
  /** Names of all tools that are safe for everyone. */
  readonly tools: readonly string[]
  readonly maxOutputTokens: number
  readonly contextTokens: number
}

/** The App that is there before anyone made one. */
export function buildDefaultApp(parts: DefaultAppParts): App {
  const { model, others, fallbacks, tools, maxOutputTokens, contextTokens } = parts
  const line = fallbacks === undefined ? {} : { fallbacks: [...new Set(fallbacks)] }
  const allowed = [...new Set([model, ...others])]
  return {
    id: DEFAULT_APP,
    name: 'Parley',
    preamble: PREAMBLE,
    model: { default: model, allowed, maxOutputTokens, contextTokens, ...line },
    tools: tools.map((name) => ({ kind: 'server', name, ask: false })),
    aomi: { keyless: 'full' },
  }
}
