// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'
import { isPlainEnter } from '../../clients/ui/keys.ts'

describe('the Enter that means "done"', () => {
  it('is the key alone', () => {
    expect(isPlainEnter(new KeyboardEvent('keydown', { key: 'Enter' }))).toBe(true)
    expect(isPlainEnter(new KeyboardEvent('keydown', { key: 'a' }))).toBe(false)
    for (const modifier of ['shiftKey', 'ctrlKey', 'altKey', 'metaKey'])
      expect(isPlainEnter(new KeyboardEvent('keydown', { key: 'Enter', [modifier]: true }))).toBe(false)
  })

  it('is not one that ends a word in an input method, also where only its code says so (Safari)', () => {
    expect(isPlainEnter(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true }))).toBe(false)
    expect(isPlainEnter(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229 }))).toBe(false)
  })
})
