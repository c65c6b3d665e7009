import { GrowingText } from '../ports/growing-text.ts'
import type { ProviderBlocks } from '../ports/store.ts'
import { toStorableJson } from '../protocol/text.ts'

/** The provider's name, and the mark on what only it may see again. */
export const OPENAI = 'openai'

/** The names that servers have for reasoning. Each takes it back by its own only. */
const NAMES = ['reasoning_content', 'reasoning'] as const
/** What a piece of `reasoning_details` goes on with, where it comes in several. */
const GROWING = ['text', 'summary'] as const
/** UTF-16 units that one answer may keep without saying them: signatures and what is encrypted. Far above what any model sends. */
const MAX_KEPT_UNITS = 4 * 1024 * 1024

export type ThoughtName = (typeof NAMES)[number]

/** An object of the server's own, given back as it came. */
type Opaque = Readonly<Record<string, unknown>>

/** What was thought before an answer, as fields of its message; `reasoning_details` is OpenRouter's. */
export type Thoughts = { readonly [Name in ThoughtName]?: string } & { readonly reasoning_details?: readonly unknown[] }

/** What a message of an earlier answer has to have again. `extras`: by call, Gemini's signatures. */
type Kept = { readonly thoughts?: Thoughts; readonly extras?: Opaque }

/**
 * Servers whose models think want an answer to be told of by its field, also where nothing was kept of it. Some of them refuse
 * an empty one.
 */
export const NO_THOUGHTS: Thoughts = { reasoning_content: ' ' }

/** Gathers of one answer what its server has to see again. */
export class KeptThoughts {
  #name: ThoughtName | undefined
  readonly #text = new GrowingText()
  readonly #details: Opaque[] = []
  readonly #extras: Record<string, Opaque> = {}
  #room = MAX_KEPT_UNITS

  /** There was more than any answer has. */
  get isTooMuch(): boolean {
    return this.#room < 0
  }

  think(name: ThoughtName, delta: string): void {
    this.#name ??= name
    this.#text.append(delta)
  }

  /** One thought comes in pieces that have its index, its signature last; what is encrypted comes whole. */
  detail(details: unknown): void {
    for (const piece of Array.isArray(details) ? details : []) {
      if (!isObject(piece)) continue
      this.#keep(piece)
      const last = this.#details.at(-1)
      const more = last !== undefined && goesOn(last, piece)
      if (more) this.#details[this.#details.length - 1] = joined(last, piece)
      else this.#details.push(piece)
    }
  }

  extra(callId: string, extra: unknown): void {
    if (!isObject(extra)) return
    this.#keep(extra)
    this.#extras[callId] = extra
  }

  /** @param ids by the server's ids of calls, ours: some details name the call that they belong to */
  toBlocks(model: string, ids: ReadonlyMap<unknown, string>): ProviderBlocks | undefined {
    const details = this.#details.map((detail) => ({
      ...detail,
      ...(ids.has(detail['id']) && { id: ids.get(detail['id']) }),
    }))
    // Beside details `reasoning` says the same once more.
    const named = this.#name === 'reasoning' && details.length > 0 ? undefined : this.#name
    const opaque = {
      ...(details.length > 0 && { reasoning_details: details }),
      ...(Object.keys(this.#extras).length > 0 && { extra_content: this.#extras }),
    }
    const isOpaque = Object.keys(opaque).length > 0
    if (named === undefined && !isOpaque) return undefined
    const kept = { ...(named && { [named]: this.#text.toString() }), ...(isOpaque && { model, ...opaque }) }
    const stored: unknown = JSON.parse(toStorableJson(JSON.stringify(kept)))
    return { provider: OPENAI, content: [stored], beside: true }
  }

  #keep(piece: Opaque): void {
    this.#room -= JSON.stringify(piece).length
  }
}

/** What `toBlocks` stored. What is signed or encrypted is only its own model's. */
export function keptIn(blocks: ProviderBlocks | undefined, model: string): Kept {
  const [kept] = blocks?.provider === OPENAI ? blocks.content : []
  if (!isObject(kept)) return {}
  const name = NAMES.find((one) => typeof kept[one] === 'string')
  const own = kept['model'] === model
  const { reasoning_details: details, extra_content: extras } = kept
  const thoughts: Thoughts = {
    ...(name && { [name]: kept[name] }),
    ...(own && Array.isArray(details) && { reasoning_details: details }),
  }
  return {
    ...(Object.keys(thoughts).length > 0 && { thoughts }),
    ...(own && isObject(extras) && { extras }),
  }
}

function goesOn(last: Opaque, piece: Opaque): boolean {
  return last['type'] === piece['type'] && last['index'] === piece['index'] && GROWING.some((name) => name in last)
}

function joined(last: Opaque, piece: Opaque): Opaque {
  const said = Object.fromEntries(Object.entries(piece).filter(([, value]) => value !== null))
  const grown = GROWING.flatMap((name) => {
    const [before, more] = [last[name], piece[name]]
    return typeof before === 'string' && typeof more === 'string' ? [[name, before + more]] : []
  })
  return { ...last, ...said, ...Object.fromEntries(grown) }
}

function isObject(value: unknown): value is Opaque {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
