import type { HttpTool } from '../ports/apps.ts'
import { SEARCH_DOCUMENTS } from '../ports/documents.ts'
import type { ListedTool, Listing, Tool, Tools } from '../ports/tool.ts'

/** Makes the tool that a definition describes. */
export type MakeHttpTool = (definition: HttpTool) => Tool

/** Tools of MCP servers: each with what its server calls it, before names are told apart from the App's other tools. */
export interface McpTools {
  /** As `Tools.listed`; `taken`: names of other tools, which stay theirs. */
  listed(app: Listing, taken: readonly string[], signal: AbortSignal): Promise<readonly ListedTool[]>
  /** The App was changed or deleted: its connections are closed once no call is on. */
  changed(appId: string): void
  close(): Promise<void>
}

/** The tools that Apps may name, and those that they define. A second one of the same name is a mistake of the caller. */
export function createTools(list: readonly Tool[], makeHttpTool?: MakeHttpTool, mcp?: McpTools): Tools {
  const byName = new Map(list.map((tool) => [tool.spec.name, tool]))
  if (byName.size !== list.length) throw new Error('two tools have the same name')
  return {
    resolve: ({ tools, httpTools = [] }) => {
      const own = makeHttpTool === undefined ? [] : httpTools.map(makeHttpTool)
      const named = tools.flatMap((tool) => (tool.kind === 'server' ? (byName.get(tool.name) ?? []) : []))
      return [...named, ...own]
    },
    listed: async (app, signal) => (await mcp?.listed(app, namesOf(app), signal)) ?? [],
  }
}

/** Also of tools that are not there now: what a name means does not change with that. */
function namesOf({ tools, httpTools = [] }: Listing): string[] {
  const named = tools.map((tool) => (tool.kind === 'server' ? tool.name : tool.spec.name))
  return [...named, ...httpTools.map(({ name }) => name), SEARCH_DOCUMENTS]
}
