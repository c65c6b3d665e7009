import type { DocumentPart } from '../ports/documents.ts'
import { isHighSurrogate, toStorable } from '../protocol/text.ts'
import type { Section } from './section.ts'

/** Characters after which a part is full: three paragraphs, which a model reads as a whole. */
const FULL_PART = 1200
/** Characters of a part at most. Ten of them stay below a tool result's limit in any script. */
export const MAX_PART = 1600

/** Where a text that is too long is best cut, best first, and what stands there when pieces are put together again. */
const JOINTS = [
  { at: /\n\s*\n/, joint: '\n\n' },
  { at: /\n/, joint: '\n' },
  { at: /(?<=[.!?…])\s+/, joint: ' ' },
  { at: /(?<=[。！？])/, joint: '' },
  { at: /\s+/, joint: ' ' },
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

/** Paragraphs; one of more than MAX_PART characters is cut at the next best places. */
function split(text: string, level = 0, joint = ''): Piece[] {
  if (text.trim() === '') return []
  if (level > 0 && text.length <= MAX_PART) return [{ text: text.trimEnd(), joint }]
  const place = JOINTS[level]
  if (place === undefined) return slices(text).map((slice, at) => ({ text: slice, joint: at === 0 ? joint : '' }))
  return text.split(place.at).flatMap((piece, at) => split(piece, level + 1, at === 0 ? joint : place.joint))
}

/** A word without end, such as an encoded picture. A pair of surrogates stays together. */
function slices(text: string): string[] {
  const found: string[] = []
  for (let from = 0; from < text.length; ) {
    const end = Math.min(from + MAX_PART, text.length)
    const to = end < text.length && isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end
    found.push(text.slice(from, to))
    from = to
  }
  return found
}

/** Neighbours together until a part is full. */
function pack(pieces: readonly Piece[]): string[] {
  const parts: string[] = []
  let part = ''
  for (const { text, joint } of pieces) {
    const longer = part + joint + text
    if (part !== '' && (part.length >= FULL_PART || longer.length > MAX_PART)) {
      parts.push(part)
      part = text
    } else part = part === '' ? text : longer
  }
  if (part !== '') parts.push(part)
  return parts
}
