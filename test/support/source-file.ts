import { parse } from '@babel/parser'
import type { Node } from '@babel/types'

/** What the architecture rules need to know of one TypeScript file. Lines count from 1. */
export type SourceFile = {
  /** From the root of the project, with forward slashes. */
  readonly path: string
  readonly lineCount: number
  readonly imports: readonly { readonly specifier: string; readonly line: number }[]
  readonly functions: readonly { readonly name: string; readonly line: number; readonly lineCount: number }[]
  readonly comments: readonly { readonly text: string; readonly line: number }[]
  readonly texts: readonly { readonly text: string; readonly line: number }[]
  /** Dotted member chains (`process.env`, `describe.skip`); `written` where it is assigned to, as both `a.b` and `a.b.c` of `a.b.c = 1` are. */
  readonly members: readonly { readonly name: string; readonly line: number; readonly written: boolean }[]
  readonly defaultExports: readonly number[]
  /** Nothing but `export … from`. */
  readonly isBarrel: boolean
}

type Facts = {
  -readonly [K in 'imports' | 'functions' | 'texts' | 'members' | 'defaultExports']: SourceFile[K][number][]
}

export function readSourceFile(path: string, source: string): SourceFile {
  const tree = parse(source, {
    sourceType: 'module',
    plugins: ['typescript', ...(path.endsWith('x') ? ['jsx' as const] : [])],
  })
  const facts: Facts = { imports: [], functions: [], texts: [], members: [], defaultExports: [] }
  visit(tree.program, undefined, facts, false)
  const statements = tree.program.body
  return {
    path,
    lineCount: source.split('\n').length - (source.endsWith('\n') ? 1 : 0),
    comments: (tree.comments ?? []).map((comment) => ({ text: comment.value, line: lineOf(comment) })),
    isBarrel: statements.length > 0 && statements.every((statement) => reexports(statement)),
    ...facts,
  }
}

function visit(node: Node, parent: Node | undefined, facts: Facts, written: boolean): void {
  note(node, parent, facts, written)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, node, facts, isWritten(node, child, written))
    }
  }
}

/** Whether a child is the left side of an assignment, or the `a.b` of a left side `a.b.c`. */
function isWritten(node: Node, child: Node, written: boolean): boolean {
  if (node.type === 'AssignmentExpression') return node.operator === '=' && node.left === child
  return written && node.type === 'MemberExpression' && node.object === child
}

function note(node: Node, parent: Node | undefined, facts: Facts, written: boolean): void {
  const line = lineOf(node)
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
      if (node.source) facts.imports.push({ specifier: node.source.value, line })
      return
    case 'TSImportType':
      if (node.argument.type === 'StringLiteral') facts.imports.push({ specifier: node.argument.value, line })
      return
    case 'CallExpression':
      facts.imports.push(...loaded(node).map((specifier) => ({ specifier, line })))
      return
    case 'ExportDefaultDeclaration':
      facts.defaultExports.push(line)
      return
    case 'ExportSpecifier':
      if (node.exported.type === 'Identifier' && node.exported.name === 'default') facts.defaultExports.push(line)
      return
    case 'StringLiteral':
      facts.texts.push({ text: node.value, line })
      return
    case 'TemplateLiteral':
      facts.texts.push({ text: node.quasis.map((quasi) => quasi.value.raw).join('$'), line })
      return
    case 'MemberExpression':
      facts.members.push({ name: dotted(node), line, written })
      return
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
    case 'ObjectMethod':
    case 'ClassMethod':
    case 'ClassPrivateMethod':
      facts.functions.push({ name: functionName(node, parent), line, lineCount: endOf(node) - line + 1 })
  }
}

/** The modules that `import('…')` or `require('…')` names. */
function loaded(node: Extract<Node, { type: 'CallExpression' }>): string[] {
  const loads = node.callee.type === 'Import' || (node.callee.type === 'Identifier' && node.callee.name === 'require')
  const [first] = node.arguments
  return loads && first?.type === 'StringLiteral' ? [first.value] : []
}

function reexports(statement: Node): boolean {
  return (
    statement.type === 'ExportAllDeclaration' ||
    (statement.type === 'ExportNamedDeclaration' && statement.source !== null && statement.source !== undefined)
  )
}

/** `a.b.c` of a member chain; `?` for what is not a plain name, such as a call in its middle. */
function dotted(node: Node): string {
  if (node.type === 'Identifier') return node.name
  if (node.type === 'StringLiteral') return node.value
  if (node.type === 'MetaProperty') return `${node.meta.name}.${node.property.name}`
  if (node.type === 'CallExpression') return dotted(node.callee)
  if (node.type === 'MemberExpression') return `${dotted(node.object)}.${dotted(node.property)}`
  return '?'
}

function functionName(node: Node, parent: Node | undefined): string {
  if ((node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression') && node.id) return node.id.name
  if (node.type === 'ClassPrivateMethod') return `#${node.key.id.name}`
  if (node.type === 'ObjectMethod' || node.type === 'ClassMethod') return dotted(node.key)
  return parent?.type === 'VariableDeclarator' ? dotted(parent.id) : 'a function'
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'loc' in value
  )
}

function lineOf(node: Pick<Node, 'loc'>): number {
  return node.loc?.start.line ?? 0
}

function endOf(node: Node): number {
  return node.loc?.end.line ?? 0
}
