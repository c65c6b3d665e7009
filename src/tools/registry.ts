import type { Tool, Tools } from '../ports/tool.ts'

/** The tools that Apps may name. A second one of the same name is a mistake of the caller. */
export function createTools(list: readonly Tool[]): Tools {
  const byName = new Map(list.map((tool) => [tool.spec.name, tool]))
  if (byName.size !== list.length) throw new Error('two tools have the same name')
  return {
    resolve: (names) => names.flatMap((name) => byName.get(name) ?? []),
  }
}
