import type { ProviderBlocks } from '../ports/store.ts'
import { toStorable } from '../protocol/text.ts'

/** The provider's name, and the mark on what only it may see again. */
export const OPENAI = 'openai'

/** The names that servers have for reasoning. Each takes it back by its own only. */
const NAMES = ['reasoning_content', 'reasoning'] as const

export type ThoughtName = (typeof NAMES)[number]

/** What was thought before an answer, as a field of its message. */
export type Thoughts = { readonly [Name in ThoughtName]?: string }

/**
 * Servers whose models think want an answer to be told of by its field, also where nothing was kept of it. Some of them refuse
 * an empty one.
 */
export const NO_THOUGHTS: Thoughts = { reasoning_content: ' ' }

export function toBlocks(name: ThoughtName, thought: string): ProviderBlocks {
  return { provider: OPENAI, content: [{ [name]: toStorable(thought) }], beside: true }
}

/** What `toBlocks` stored; undefined where it stored nothing. */
export function thoughtsIn(blocks: ProviderBlocks | undefined): Thoughts | undefined {
  const [kept] = blocks?.provider === OPENAI ? blocks.content : []
  if (typeof kept !== 'object' || kept === null) return undefined
  const thoughts = NAMES.flatMap((name) => {
    const thought: unknown = Reflect.get(kept, name)
    return typeof thought === 'string' ? [{ [name]: thought }] : []
  })
  return thoughts[0]
}
