// @ts-check
// A thread that reads expressions and converts units, one after the other. Plain JavaScript: Node runs it in a thread of its own as it
// stands, from src and from dist.

import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'

/**
 * The package's one-file build: a third of the time and memory of the several hundred modules behind its name.
 * @type {import('mathjs').MathJsInstance}
 */
const math = createRequire(import.meta.url)('mathjs/lib/browser/math.js')

/** @satisfies {import('./mathematics.ts').Mathematics} */
const mathematics = {
  parse: (text) => steps(math.parse(text)),
  convert: (value, from, to) => math.unit(value, from).toNumber(to),
}

/**
 * @param {import('mathjs').MathNode} node
 * @returns {import('./mathematics.ts').Step[]}
 */
function steps(node) {
  if (math.isConstantNode(node)) return [{ kind: 'constant', value: node.value }]
  if (math.isParenthesisNode(node)) return steps(node.content)
  if (math.isSymbolNode(node)) return [{ kind: 'name', name: node.name }]
  if (math.isOperatorNode(node)) return operation('operator', node.fn, node.args)
  if (math.isFunctionNode(node)) return operation('function', math.isSymbolNode(node.fn) ? node.fn.name : '', node.args)
  return [{ kind: 'other' }]
}

/**
 * @param {'operator' | 'function'} kind
 * @param {string} name
 * @param {readonly import('mathjs').MathNode[]} args
 * @returns {import('./mathematics.ts').Step[]}
 */
function operation(kind, name, args) {
  return [...args.flatMap(steps), { kind, name, takes: args.length }]
}

parentPort?.on('message', ({ id, name, args }) => parentPort?.postMessage({ id, ...answer(name, args) }, []))

/**
 * @param {keyof typeof mathematics} name
 * @param {readonly unknown[]} args
 */
function answer(name, args) {
  try {
    return { result: Reflect.apply(mathematics[name], undefined, args) }
  } catch (thrown) {
    return { fault: `${thrown instanceof Error ? thrown.message : String(thrown)}.` }
  }
}
