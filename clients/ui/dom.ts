type Value = string | number | boolean | undefined | ((event: Event) => void)
/**
 * Attributes by name; `onclick` and the like take functions; `true` is an empty attribute, `false` and undefined none, but for
 * `aria-…`, where they are words.
 */
export type Attributes = Readonly<Record<string, Value>>
export type Child = Node | string | undefined

/** Makes an element. Texts become text nodes: nothing here is ever read as HTML. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice('on'.length), value)
    else setAttribute(element, name, value)
  }
  element.append(...children.filter((child) => child !== undefined))
  return element
}

export function setAttribute(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined) element.removeAttribute(name)
  // An empty aria-hidden hides nothing.
  else if (name.startsWith('aria-')) element.setAttribute(name, String(value))
  else if (value === false) element.removeAttribute(name)
  else element.setAttribute(name, value === true ? '' : String(value))
}

/** Changes a text only when it is another: screen readers and selections notice every write. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** What knows which element of this one's tree has the focus. */
export function rootOf(element: Element): Document | ShadowRoot {
  const root = element.getRootNode()
  return root instanceof ShadowRoot ? root : document
}

/** Whether the focus is on this element or in it. */
export function holdsFocus(element: Element): boolean {
  return element.contains(rootOf(element).activeElement)
}

/** Puts `wanted` in this order into `parent`, touching only what is not in its place, and removes the rest. */
export function setChildren(parent: Element, wanted: readonly Element[]): void {
  const keep = new Set<Node>(wanted)
  // First what goes, so that what stays is not moved: an element that moves loses focus, scroll place and animations.
  for (let child = parent.firstChild; child !== null; ) {
    const next = child.nextSibling
    if (!keep.has(child)) child.remove()
    child = next
  }
  wanted.forEach((element, index) => {
    const there = parent.childNodes[index] ?? null
    if (there !== element) parent.insertBefore(element, there)
  })
}

/** Runs `render` once in the next frame, however often it was asked for. */
export function frameScheduler(render: () => void): { schedule(): void; cancel(): void } {
  let frame: number | undefined
  return {
    schedule() {
      frame ??= requestAnimationFrame(() => {
        frame = undefined
        render()
      })
    },
    cancel() {
      if (frame !== undefined) cancelAnimationFrame(frame)
      frame = undefined
    },
  }
}
