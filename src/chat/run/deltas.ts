import type { DeltaEvent } from '../../protocol/events.ts'
import { MAX_DELTA_UNITS } from '../../protocol/limits.ts'
import { isHighSurrogate, toStorable } from '../../protocol/text.ts'

/** `text` as deltas of one item, cut so that no frame gets too big, never inside a surrogate pair. */
export function* deltaEvents(type: DeltaEvent['type'], item: string, text: string): Generator<DeltaEvent> {
  let start = 0
  while (text.length - start > MAX_DELTA_UNITS) {
    const cut = start + MAX_DELTA_UNITS - (endsInsidePair(text.slice(start, start + MAX_DELTA_UNITS)) ? 1 : 0)
    yield deltaEvent(type, item, text.slice(start, cut))
    start = cut
  }
  yield deltaEvent(type, item, start === 0 ? text : text.slice(start))
}

/** Storable text, whole characters only: half a pair waits for its other half. */
export function wholeCharacters(text: string): { readonly delta: string; readonly half: string } {
  if (!endsInsidePair(text)) return { delta: toStorable(text), half: '' }
  return { delta: toStorable(text.slice(0, -1)), half: text.slice(-1) }
}

/** True when the last unit is the first half of a surrogate pair, whose other half is still to come. */
function endsInsidePair(text: string): boolean {
  return isHighSurrogate(text.charCodeAt(text.length - 1))
}

/** One delta, which fits a frame. */
export function deltaEvent(type: DeltaEvent['type'], item: string, delta: string): DeltaEvent {
  return type === 'TOOL_CALL_ARGS' ? { type, toolCallId: item, delta } : { type, messageId: item, delta }
}
