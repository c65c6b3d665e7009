import { MAX_TITLE_LENGTH } from '../../src/protocol/limits.ts'
import { textButton } from './buttons.ts'
import { el } from './dom.ts'
import type { Settings } from './settings.ts'

/** Asks before something that cannot be undone; true when the person means it. */
export async function askToConfirm(
  parent: Node,
  words: { readonly title: string; readonly text: string; readonly act: string },
): Promise<boolean> {
  const answer = await show<true>(parent, words.title, (finish) => ({
    body: [el('p', {}, words.text)],
    act: textButton(words.act, () => finish(true), { class: 'button danger' }),
  }))
  return answer === true
}

/** Asks for one line of text; undefined when the person leaves it. */
export async function askForText(
  parent: Node,
  words: { readonly title: string; readonly label: string; readonly value: string },
): Promise<string | undefined> {
  return await show<string>(parent, words.title, (finish) => {
    const input = el('input', {
      name: 'text',
      dir: 'auto',
      value: words.value,
      maxlength: MAX_TITLE_LENGTH,
      required: true,
    })
    // Who types replaces it.
    input.addEventListener('focus', () => input.select(), { once: true })
    return {
      body: [el('label', { class: 'field' }, el('span', {}, words.label), input)],
      act: el('button', { type: 'submit', class: 'button primary' }, 'Save'),
      submit: () => {
        if (input.value.trim() !== '') finish(input.value.trim())
      },
    }
  })
}

const APP_PATTERN = '[a-z0-9]([a-z0-9\\-]{0,62}[a-z0-9])?'

/** Asks for App and key; undefined when the person leaves it. */
export async function askForSettings(parent: Node, settings: Settings): Promise<Settings | undefined> {
  return await show<Settings>(parent, 'App and key', (finish) => {
    const app = el('input', {
      name: 'app',
      value: settings.app,
      required: true,
      pattern: APP_PATTERN,
      maxlength: 64,
      title: 'Lower-case letters, digits and hyphens',
      autocapitalize: 'none',
      spellcheck: 'false',
    })
    const key = el('input', {
      name: 'key',
      type: 'password',
      value: settings.key ?? '',
      placeholder: 'pk_live_…',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-describedby': 'key-help',
    })
    const remember = el('input', { type: 'checkbox', name: 'remember', checked: settings.remember })
    return {
      body: [
        el('label', { class: 'field' }, el('span', {}, 'App'), app),
        el('label', { class: 'field' }, el('span', {}, 'Key'), key),
        el(
          'p',
          { class: 'hint', id: 'key-help' },
          'A publishable key. Leave it empty for the default App of this server. It is never put into an address.',
        ),
        el('label', { class: 'check' }, remember, 'Keep it on this device; otherwise it goes with this tab'),
      ],
      act: el('button', { type: 'submit', class: 'button primary' }, 'Use'),
      submit: () => {
        const typed = key.value.trim()
        finish({ app: app.value.trim(), ...(typed === '' ? {} : { key: typed }), remember: remember.checked })
      },
    }
  })
}

type Parts = { readonly body: readonly HTMLElement[]; readonly act: HTMLElement; readonly submit?: () => void }

/** A modal dialog; resolves with what `finish` is given, undefined when it is left in any other way. */
function show<T>(parent: Node, title: string, build: (finish: (value: T) => void) => Parts): Promise<T | undefined> {
  return new Promise((resolve) => {
    let answer: T | undefined
    const dialog = el('dialog', { class: 'dialog', 'aria-label': title })
    const parts = build((value) => {
      answer = value
      dialog.close()
    })
    const form = el(
      'form',
      {},
      el('h2', {}, title),
      ...parts.body,
      el(
        'div',
        { class: 'button-row end-row' },
        textButton('Cancel', () => dialog.close()),
        parts.act,
      ),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      parts.submit?.()
    })
    dialog.append(form)
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(answer)
    })
    parent.appendChild(dialog)
    dialog.showModal()
  })
}
