import { GrowingText } from '../../ports/growing-text.ts'
import type { MessageRow, MessageTail, ProviderBlocks } from '../../ports/store.ts'
import { countCharacters, toStorable } from '../../protocol/text.ts'

/** How much of an item's text the store holds, in UTF-16 units and in characters. */
type Saved = { readonly units: number; readonly characters: number }

type ItemBase = { readonly id: string; readonly index: number; readonly text: GrowingText; saved: Saved | undefined }
export type DraftCall = { readonly id: string; readonly name: string; arguments: string; half: string; open: boolean }
export type ReasoningItem = ItemBase & { readonly kind: 'reasoning' }
export type AssistantItem = ItemBase & { readonly kind: 'assistant'; textOpen: boolean; readonly calls: DraftCall[] }
export type DraftItem = ReasoningItem | AssistantItem

/** What the rows of a draft's items have in common. */
export type ItemOwner = { readonly sessionId: string; readonly runId: string; readonly startedAt: number }

/** What the store lacks of a draft; `saved` is called once it has it. */
export type Unsaved = {
  readonly messages: readonly MessageRow[]
  readonly tails: readonly MessageTail[]
  readonly saved: () => void
}

export function reasoningItem(runId: string, index: number): ReasoningItem {
  return { kind: 'reasoning', id: `${runId}-${index}`, index, text: new GrowingText(), saved: undefined }
}

export function assistantItem(runId: string, index: number): AssistantItem {
  const base = { id: `${runId}-${index}`, index, text: new GrowingText(), saved: undefined }
  return { kind: 'assistant', ...base, textOpen: false, calls: [] }
}

/** `blocks`: the whole answer in its provider's own form, when it is whole. */
export function rowOf(item: DraftItem, owner: ItemOwner, interrupted: boolean, blocks?: ProviderBlocks): MessageRow {
  const { sessionId, runId, startedAt } = owner
  const base = {
    id: item.id,
    sessionId,
    runId,
    index: item.index,
    content: item.text.toString(),
    createdAt: startedAt,
    ...(interrupted ? { interrupted: true } : {}),
  }
  if (item.kind === 'reasoning') return { ...base, role: 'reasoning' }
  const calls = item.calls.map(({ id, name, arguments: args }) => ({ id, name, arguments: toStorable(args) }))
  return {
    ...base,
    role: 'assistant',
    ...(calls.length === 0 ? {} : { toolCalls: calls }),
    ...(blocks === undefined ? {} : { blocks }),
  }
}

/** An item that the store holds costs only what was said since; one with calls is written whole, they are short. */
export function unsavedOf(items: readonly DraftItem[], owner: ItemOwner): Unsaved {
  const messages: MessageRow[] = []
  const tails: MessageTail[] = []
  const marks: (() => void)[] = []
  for (const item of items) {
    const { saved } = item
    const whole = saved === undefined || (item.kind === 'assistant' && item.calls.length > 0)
    const { units, characters: from } = whole ? { units: 0, characters: 0 } : saved
    if (!whole && item.text.length === units) continue
    const text = item.text.from(units)
    if (whole) messages.push(rowOf(item, owner, false))
    else tails.push({ id: item.id, runId: owner.runId, from, text })
    const now = { units: units + text.length, characters: from + countCharacters(text) }
    marks.push(() => {
      item.saved = now
    })
  }
  return {
    messages,
    tails,
    saved: () => {
      for (const mark of marks) mark()
    },
  }
}
