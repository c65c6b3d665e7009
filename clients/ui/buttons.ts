import { type Attributes, el, setAttribute } from './dom.ts'
import { type IconName, icon } from './icons.ts'

/** Milliseconds that a button says that it has copied: long enough to be seen, short enough to copy again. */
const COPIED_MS = 1800

/** A button of one icon; the label is its name and its tooltip. */
export function iconButton(
  name: IconName,
  label: string,
  onClick: () => void,
  extra: Attributes = {},
): HTMLButtonElement {
  return el(
    'button',
    { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick: onClick, ...extra },
    icon(name),
  )
}

/** Another name and tooltip, for a button that stays. */
export function setLabel(button: HTMLButtonElement, label: string): void {
  setAttribute(button, 'aria-label', label)
  setAttribute(button, 'title', label)
}

export function textButton(label: string, onClick: () => void, extra: Attributes = {}): HTMLButtonElement {
  return el('button', { type: 'button', class: 'button', onclick: onClick, ...extra }, label)
}

/** Copies what `read` gives when it is pressed, and says so. */
export function copyButton(label: string, read: () => string): HTMLButtonElement {
  const button = iconButton('copy', label, () => void copy())
  let timer: ReturnType<typeof setTimeout> | undefined
  const show = (name: IconName, text: string): void => {
    button.replaceChildren(icon(name))
    setLabel(button, text)
  }
  const copy = async (): Promise<void> => {
    const copied = await copyText(read())
    button.focus({ preventScroll: true })
    show(copied ? 'check' : 'warning', copied ? 'Copied' : 'Copying is not allowed here')
    clearTimeout(timer)
    timer = setTimeout(() => show('copy', label), COPIED_MS)
  }
  return button
}

async function copyText(text: string): Promise<boolean> {
  try {
    // Missing on pages without HTTPS.
    if (!('clipboard' in navigator)) return copyBySelection(text)
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

/** As before browsers had an interface for it: needs no permission, and works without HTTPS, as on a network at home. */
function copyBySelection(text: string): boolean {
  const area = el('textarea', { 'aria-hidden': true, readonly: true })
  area.value = text
  area.style.position = 'fixed'
  area.style.opacity = '0'
  document.body.append(area)
  area.select()
  const copied = document.execCommand('copy')
  area.remove()
  return copied
}
