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

/** Under `dir="auto"` a browser looks through all children for each one that comes: an element with so many new ones is taken whole. */
const MANY_NEW = 500

/**
 * Makes the children of `parent` from the one at `from` on look like `wanted`, keeping the nodes that are of the same kind: what is
 * selected, focused, pressed or scrolled in them stays so.
 */
export function patchChildren(parent: Node, wanted: readonly Node[], from = 0): void {
  let there = parent.childNodes[from] ?? null
  for (const node of wanted) {
    const next = there?.nextSibling ?? null
    if (there === null) parent.appendChild(node)
    else if (!patch(there, node)) parent.replaceChild(node, there)
    there = next
  }
  while (there !== null) {
    const next: ChildNode | null = there.nextSibling
    there.remove()
    there = next
  }
}

/** Whether `node` could be made to look like `wanted`. */
function patch(node: Node, wanted: Node): boolean {
  if (node instanceof Text && wanted instanceof Text) {
    patchText(node, wanted.data)
    return true
  }
  if (!(node instanceof Element && wanted instanceof Element)) return false
  if (node.tagName !== wanted.tagName || node.className !== wanted.className) return false
  const names = node.getAttributeNames()
  if (names.join() !== wanted.getAttributeNames().join()) return false
  if (wanted.childNodes.length - node.childNodes.length > MANY_NEW) return false
  // A button says by itself what became of a press on it.
  if (node.tagName === 'BUTTON') return true
  for (const name of names) {
    const value = wanted.getAttribute(name)
    if (value !== null && value !== node.getAttribute(name)) node.setAttribute(name, value)
  }
  patchChildren(node, [...wanted.childNodes])
  return true
}

/** Touches only the end that is another: a selection before it holds. */
function patchText(node: Text, text: string): void {
  if (node.data === text) return
  const { data } = node
  let same = text.startsWith(data) ? data.length : 0
  while (same < data.length && data[same] === text[same]) same++
  node.replaceData(same, data.length - same, text.slice(same))
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
