/** What browsers call every key that an input method has taken; Safari says nothing else of the Enter that ends a word. */
const TAKEN_KEY_CODE = 229

/** Enter that means "done": not with a modifier, and not one that ends a word in an input method. */
export function isPlainEnter(event: KeyboardEvent): boolean {
  const isPlain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey
  return event.key === 'Enter' && isPlain && !isComposing(event)
}

/** Whether the focus may go into a field unasked: where there is no keyboard, one would jump up over the page. */
export function hasKeyboard(): boolean {
  return matchMedia('(hover: hover)').matches
}

/** The key is the input method's. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === TAKEN_KEY_CODE
}
