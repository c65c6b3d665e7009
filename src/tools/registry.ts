import type { HttpTool } from '../ports/apps.ts'
import type { Tool, Tools } from '../ports/tool.ts'

/** Makes the tool that a definition describes. */
export type MakeHttpTool = (definition: HttpTool) => Tool

/** The tools that Apps may name, and those that they define. A second one of the same name is a mistake of the caller. */
export function createTools(list: readonly Tool[], makeHttpTool?: MakeHttpTool): Tools {
  const byName = new Map(list.map((tool) => [tool.spec.name, tool]))
  if (byName.size !== list.length) throw new Error('two tools have the same name')
  return {
    resolve: ({ tools, httpTools = [] }) => {
      const own = makeHttpTool === undefined ? [] : httpTools.map(makeHttpTool)
      const named = tools.flatMap((tool) => (tool.kind === 'server' ? (byName.get(tool.name) ?? []) : []))
      return [...named, ...own]
    },
  }
}
