import createPurifier, { type Config } from 'dompurify'
import { Marked, type Token, type Tokens, type TokensList } from 'marked'
import { copyButton } from './buttons.ts'
import { el } from './dom.ts'
import { BoundedLexer, isHugeTable } from './markdown-lexer.ts'

// Two locks, each enough by itself: the renderers below make only these tags and escape all else, and DOMPurify lets only
// them through.

/** Tags that Markdown makes. No images, no forms, nothing that loads or acts. */
const TAGS =
  'a b blockquote br code del div em h1 h2 h3 h4 h5 h6 hr i kbd li ol p pre s span strong sub sup table tbody td th thead tr ul'
/** With both slashes: `http:/path` is a path of this site. */
const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:)/i
const PURIFY = {
  ALLOWED_TAGS: TAGS.split(' '),
  ALLOWED_ATTR: ['href', 'start', 'align', 'lang', 'dir'],
  // Every attribute has to look like an address but these.
  ADD_URI_SAFE_ATTR: ['start', 'align', 'lang', 'dir'],
  ALLOWED_URI_REGEXP: SAFE_ADDRESS,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
} as const satisfies Config

/** Raw HTML that models write as punctuation, and that carries nothing. */
const HARMLESS_TAG = /^<\/?(?:br|kbd|sub|sup)\s*\/?>$/i
/** Mathematics as models write it: `\(…\)` and `\[…\]`, whose marks Markdown would take for escaped brackets. */
const MATHEMATICS = /^(?:\\\([^\0]{1,1000}?\\\)|\\\[[^\0]{1,1000}?\\\](?!\())/
/** So many marks of quotes and lists in one line are no Markdown that a person reads: it is shown as it was written. */
const TOO_DEEP = /^(?:[ \t]*(?:>|[-+*][ \t]|\d{1,9}[.)][ \t])){50}/m
/** Answers are parts of a page that has headings of its own. */
const HEADING_OFFSET = 2
const DEEPEST_HEADING = 6

const parser = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    // Shown as its source, which is of use only with its marks.
    escape(src) {
      const [text] = MATHEMATICS.exec(src) ?? []
      return text === undefined ? false : { type: 'escape', raw: text, text }
    },
    table: (src) => (isHugeTable(src) ? undefined : false),
  },
  renderer: {
    html: ({ text, block }) => renderHtml(text, block),
    // Behind a raw <script> or <pre>, marked takes texts for HTML that is right as it is.
    text(token) {
      return 'tokens' in token && token.tokens !== undefined
        ? this.parser.parseInline(token.tokens)
        : escapeText(token.text)
    },
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens)
      return isSafeAddress(href) ? `<a href="${escapeHtml(href)}">${text}</a>` : text
    },
    // A remote image would tell its server that this answer was read: it becomes a link that a person may follow.
    image: ({ href, text }) => {
      const shown = escapeHtml(text === '' ? href : text)
      return isSafeAddress(href) ? `<a href="${escapeHtml(href)}">${shown}</a>` : shown
    },
    // Inside lists and quotes; its frame, which cannot be written as HTML here, takes the place of this.
    code: ({ text, lang }) => `<pre lang="${escapeHtml(languageOf(lang))}"><code>${escapeHtml(text)}</code></pre>`,
    codespan: ({ text }) => `<code dir="ltr">${escapeHtml(text)}</code>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    heading({ tokens, depth }) {
      const level = Math.min(DEEPEST_HEADING, depth + HEADING_OFFSET)
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`
    },
  },
})

const purifier = createPurifier()

/** The blocks of a Markdown text, in order, and whether it defines links that earlier blocks may use. */
export function lexMarkdown(text: string): { readonly blocks: readonly Token[]; readonly links: TokensList['links'] } {
  const tokens = TOO_DEEP.test(text) ? undefined : orNothing(() => new BoundedLexer(parser.defaults).lex(text))
  if (tokens !== undefined) return { blocks: tokens, links: tokens.links }
  return { blocks: [{ type: 'code', raw: text, text }], links: {} }
}

/** Undefined where the parser, which has no bound of its own, runs out of stack: a text must not take the page with it. */
function orNothing<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}

/** One block as DOM that cannot load, run, submit or style anything. */
export function renderBlock(block: Token, links: TokensList['links']): readonly Element[] {
  if (isCode(block)) return [codeBlock(block)]
  const html = orNothing(() => parser.parser(Object.assign([block], { links })))
  if (html === undefined) return [codeFrame(block.raw, '')]
  const fragment = purify(html)
  if (fragment === null) return [el('p', { class: 'as-written' }, block.raw.trim())]
  for (const link of fragment.querySelectorAll('a')) secureLink(link)
  for (const pre of fragment.querySelectorAll('pre')) pre.replaceWith(codeFrame(pre.textContent, pre.lang))
  for (const table of fragment.querySelectorAll('table')) table.replaceWith(scrollable('Table', table.cloneNode(true)))
  const elements = [...fragment.children]
  for (const element of elements) element.setAttribute('dir', 'auto')
  return elements
}

/** Null, whatever DOMPurify's types say, where the page's trusted types leave it no way to read HTML. */
function purify(html: string): DocumentFragment | null {
  return purifier.sanitize(html, PURIFY)
}

/** The whole of a Markdown text as DOM. */
export function renderMarkdown(text: string): DocumentFragment {
  const { blocks, links } = lexMarkdown(text)
  const fragment = document.createDocumentFragment()
  fragment.append(...blocks.flatMap((block) => renderBlock(block, links)))
  return fragment
}

function isCode(token: Token): token is Tokens.Code {
  return token.type === 'code'
}

function codeBlock({ text, lang }: Tokens.Code): HTMLElement {
  return codeFrame(text, languageOf(lang))
}

/** What stands behind a fence may say more than the language. */
function languageOf(lang: string | undefined): string {
  return lang?.trim().split(/\s/)[0] ?? ''
}

function codeFrame(text: string, language: string): HTMLElement {
  const code = el('code', { dir: 'ltr' }, text)
  const head = el(
    'div',
    { class: 'code-head' },
    el('span', { class: 'code-language' }, language),
    copyButton('Copy code', () => code.textContent),
  )
  const name = language === '' ? 'Code' : `Code in ${language}`
  // Reachable by keyboard, because it scrolls. Code runs from the left, whatever the text around it does.
  const body = el('pre', { dir: 'ltr', tabindex: 0, role: 'region', 'aria-label': name }, code)
  return el('div', { class: 'code', dir: 'ltr' }, head, body)
}

function scrollable(name: string, content: Node): HTMLElement {
  return el('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': name }, content)
}

function secureLink(link: HTMLAnchorElement): void {
  const href = link.getAttribute('href')
  // A link without an address that we allow is only its text.
  if (href === null || !isSafeAddress(href)) {
    link.replaceWith(...link.childNodes)
    return
  }
  link.rel = 'noopener noreferrer'
  link.target = '_blank'
  // A text may claim another address: this shows where it goes.
  link.title = href
}

/** Whole addresses of the web and of mail; nothing relative, which would point into this page's own site. */
function isSafeAddress(href: string): boolean {
  return SAFE_ADDRESS.test(href)
}

function renderHtml(text: string, isBlock: boolean): string {
  if (HARMLESS_TAG.test(text.trim())) return text
  const shown = escapeHtml(text.trim())
  return isBlock ? `<p>${shown}</p>` : shown
}

/** Character references stay what they are in Markdown. */
function escapeText(text: string): string {
  return escapeHtml(text).replace(/&amp;(#\d{1,7}|#x[\da-f]{1,6}|\w{1,32});/gi, '&$1;')
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
