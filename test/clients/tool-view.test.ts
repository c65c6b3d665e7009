// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'
import type { ToolEntry } from '../../clients/core/entries.ts'
import { DONE } from '../../clients/core/outcome.ts'
import type { EntryActions } from '../../clients/ui/entry-view.ts'
import { ToolView } from '../../clients/ui/tool-view.ts'

const NO_ACTIONS: EntryActions = {
  retry: () => undefined,
  keep: () => undefined,
  edit: () => DONE,
  decide: () => undefined,
  resend: () => undefined,
  discard: () => undefined,
  textOf: () => '',
}
const CALL: ToolEntry = {
  kind: 'tool',
  id: 'tool:t1',
  callId: 't1',
  runId: 'r1',
  name: 'lookup',
  arguments: '{"a":[1]}',
  truncated: false,
  state: 'running',
}

const IDLE = { busy: false, refused: false }

function show(...entries: readonly ToolEntry[]): ToolView {
  const view = new ToolView(CALL, NO_ACTIONS)
  for (const entry of entries) view.update(entry, IDLE)
  return view
}

const part = (view: ToolView, label: string): string =>
  view.element.querySelector(`[aria-label="${label}"]`)?.textContent ?? ''

describe('a call of a tool on the screen', () => {
  it('shows arguments and result as indented JSON, and what changes', () => {
    const view = show(CALL, { ...CALL, state: 'done', result: '{"b":2}' })
    expect(part(view, 'Arguments')).toBe('{\n  "a": [\n    1\n  ]\n}')
    expect(part(view, 'Result')).toBe('{\n  "b": 2\n}')
    view.update({ ...CALL, state: 'failed', result: 'No', error: 'No' }, IDLE)
    expect(part(view, 'Result')).toBe('No')
  })

  it.each([100, 3_000, 20_000])('shows JSON that nests %i deep as it came', (depth) => {
    const text = '['.repeat(depth) + ']'.repeat(depth)
    expect(part(show({ ...CALL, arguments: text }), 'Arguments')).toBe(text)
  })
})
