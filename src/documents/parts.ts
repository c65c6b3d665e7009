import type { DocumentPart } from '../ports/documents.ts'
import { isHighSurrogate, toStorable } from '../protocol/text.ts'
import type { Section } from './section.ts'

/** Characters after which a part is full: three paragraphs, which a model reads as a whole. */
const FULL_PART = 1200
/** Characters of a part at most. Ten of them stay below a tool result's limit in any script. */
export const MAX_PART = 1600

/** Where a text that is too long is best cut, best first, and what stands there when pieces are put together again. */
const JOINTS = [
  { at: /\n\s*\n/g, joint: '\n\n' },
  { at: /\n/g, joint: '\n' },
  { at: /(?<=[.!?…])\s+/g, joint: ' ' },
  { at: /(?<=[。！？])/g, joint: '' },
  { at: /\s+/g, joint: ' ' },
] as const

/** Parts of a few paragraphs each, in order. Paragraphs of different sections never share one. */
export function toParts(sections: Iterable<Section>): DocumentPart[] {
  const parts: DocumentPart[] = []
  for (const { heading, text } of sections) {
    const clean = toStorable(heading)
    for (const part of pack(split(toStorable(text)))) parts.push({ heading: clean, text: part })
  }
  return parts
}

/** `joint` stands between it and the piece before. */
type Piece = { readonly text: string; readonly joint: string }

/**
 * Paragraphs; one of more than MAX_PART characters is cut at the next best places. One after the other as they are asked for:
 * the words of a file without a line end take a hundred times its size all at once.
 */
function* split(text: string, level = 0, joint = ''): Generator<Piece> {
  if (text.trim() === '') return
  const place = JOINTS[level]
  if (level > 0 && text.length <= MAX_PART) yield { text: text.trimEnd(), joint }
  else if (place === undefined) yield* slices(text, joint)
  else {
    let from = 0
    for (const { index, 0: gap } of text.matchAll(place.at)) {
      yield* split(text.slice(from, index), level + 1, from === 0 ? joint : place.joint)
      from = index + gap.length
    }
    yield* split(text.slice(from), level + 1, from === 0 ? joint : place.joint)
  }
}

/** A word without end, such as an encoded picture. A pair of surrogates stays together. */
function* slices(text: string, joint: string): Generator<Piece> {
  for (let from = 0; from < text.length; ) {
    const end = Math.min(from + MAX_PART, text.length)
    const to = end < text.length && isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end
    yield { text: text.slice(from, to), joint: from === 0 ? joint : '' }
    from = to
  }
}

/** Neighbours together until a part is full. */
function pack(pieces: Iterable<Piece>): string[] {
  const parts: string[] = []
  // Joined once: V8 keeps a text that grows by words as a tree of them.
  let part: string[] = []
  let length = 0
  for (const { text, joint } of pieces) {
    const longer = length + joint.length + text.length
    if (length >= FULL_PART || longer > MAX_PART) {
      if (length > 0) parts.push(part.join(''))
      part = [text]
      length = text.length
    } else {
      part.push(length === 0 ? '' : joint, text)
      length = length === 0 ? text.length : longer
    }
  }
  if (length > 0) parts.push(part.join(''))
  return parts
}
