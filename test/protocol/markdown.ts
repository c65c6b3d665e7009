/** A Markdown table: its header's cells, and its rows' cells. Code marks are taken off, escaped bars are bars. */
export type Table = { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] }

const DIVIDER = /^\|(?:[-: ]+\|)+$/
const ESCAPED_BAR = '\\|'
const HELD_BAR = '\uE000'

export function readTables(markdown: string): readonly Table[] {
  const lines = withoutFences(markdown).split('\n')
  return lines.flatMap((line, index): Table[] => {
    if (!DIVIDER.test(line)) return []
    const end = lines.findIndex((each, at) => at > index && !each.startsWith('|'))
    const rows = lines.slice(index + 1, end < 0 ? lines.length : end)
    return [{ header: cellsOf(lines[index - 1] ?? ''), rows: rows.map(cellsOf) }]
  })
}

/** The lines within fences of that language, a list for each. */
export function readFences(markdown: string, language: string): readonly (readonly string[])[] {
  const fences = markdown.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))
  return [...fences].map(([, body]) => (body ?? '').split('\n').filter((line) => line !== ''))
}

function withoutFences(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```$/gm, '')
}

function cellsOf(line: string): string[] {
  const cells = line.replaceAll(ESCAPED_BAR, HELD_BAR).split('|').slice(1, -1)
  return cells.map((cell) => cell.trim().replaceAll('`', '').replaceAll(HELD_BAR, '|'))
}
