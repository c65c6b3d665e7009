// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from 'vitest'
import { SessionList } from '../../clients/ui/session-list.ts'

const [ANNA, BOAT, COOK] = [
  { id: 'a', title: 'Anna', updatedAt: 3 },
  { id: 'b', title: 'Boat', updatedAt: 2 },
  { id: 'c', updatedAt: 1 },
]

describe('the list of conversations', () => {
  let acts: unknown[]
  let list: SessionList

  beforeEach(() => {
    acts = []
    list = new SessionList({
      create: () => acts.push('create'),
      open: (id) => acts.push(id),
      rename: (session) => acts.push(['rename', session]),
      remove: (session) => acts.push(['remove', session]),
      settings: () => acts.push('settings'),
      close: () => acts.push('close'),
    })
    document.body.replaceChildren(list.element)
    list.update([ANNA, BOAT, COOK], 'a')
  })

  const links = (): HTMLElement[] => [...list.element.querySelectorAll<HTMLElement>('li a')]
  const button = (label: string): HTMLElement | null => list.element.querySelector(`li [aria-label="${label}"]`)
  const focused = (): string | null | undefined =>
    document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent

  it('shows them by title, and which one is open', () => {
    expect(links().map((link) => link.textContent)).toEqual(['Anna', 'Boat', 'Untitled conversation'])
    expect(links().map((link) => link.getAttribute('aria-current'))).toEqual(['page', null, null])
    list.update([ANNA, BOAT], 'b')
    expect(links().map((link) => link.textContent)).toEqual(['Anna', 'Boat'])
    expect(links().map((link) => link.getAttribute('aria-current'))).toEqual([null, 'page'])
  })

  it('keeps what is being pressed when a title, the order or the list changes', () => {
    const [, boat] = links()
    list.update([{ ...COOK, title: 'Cook' }, { ...ANNA, title: 'Anne' }, BOAT], 'c')
    expect(links().map((link) => link.textContent)).toEqual(['Cook', 'Anne', 'Boat'])
    expect(links()[2]).toBe(boat)
    boat?.click()
    expect(acts).toEqual(['b'])
  })

  it('acts on a conversation as it is called now', () => {
    const renamed = { ...BOAT, title: 'Ship' }
    list.update([ANNA, renamed, COOK], 'a')
    button('Rename Ship')?.click()
    button('Delete Ship')?.click()
    expect(acts).toEqual([
      ['rename', renamed],
      ['remove', renamed],
    ])
    expect(button('Rename Boat')).toBeNull()
  })

  it('keeps the focus where it is while the conversation is there, and then gives it to what begins one', () => {
    button('Rename Boat')?.focus()
    let moves = 0
    list.element.addEventListener('focusin', () => moves++)
    list.update([ANNA, { ...BOAT, title: 'Ship' }, COOK], 'a')
    expect([focused(), moves]).toEqual(['Rename Ship', 0])
    list.update([{ ...BOAT, title: 'Ship' }, ANNA, COOK], 'a')
    expect(focused()).toBe('Rename Ship')
    list.update([ANNA, COOK], 'a')
    expect(focused()).toBe('New conversation')
  })
})
