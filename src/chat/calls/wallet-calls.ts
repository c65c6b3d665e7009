import type { ToolSpec } from '../../ports/provider.ts'
import type { StoredToolCall } from '../../ports/store.ts'
import { type Tool, ToolError } from '../../ports/tool.ts'
import { parseArguments } from '../../ports/tool-arguments.ts'
import { countRequests, readWalletCall, type WalletKind } from '../../protocol/wallet-calls.ts'

/** Things to sign that one answer may ask for, each with a number of its own within the run's thousand. */
const MAX_OF_AN_ANSWER = 100
/** Numbers of one run. */
const PER_RUN = 1000
/** Characters of their arguments together: clients give them back in the address of every poll. */
const MAX_ARGUMENTS = 32_768

/** What the model reads of a call that no wallet could show. */
export function refusingTool(spec: ToolSpec, wallet: WalletKind): Tool {
  const wanted =
    wallet === 'transaction'
      ? 'one transaction, or 1 to 10 as `transactions`: each with `to` (0x and 40 hexadecimal digits), `value` in wei, `data`'
      : '`typed_data` with `types`, `primaryType`, `domain` and `message`'
  return {
    spec,
    execute: () => Promise.reject(new ToolError(`A wallet cannot show this. The arguments must be ${wanted}.`)),
  }
}

/**
 * Gives numbers to what the calls of one answer ask a wallet for: never the same twice in a session, so that an answer that comes
 * late names nothing that is asked for later.
 */
export class WalletNumbers {
  readonly #first: number
  #given = 0
  #characters = 0

  /** `position`: of the run. */
  constructor(position: number) {
    this.#first = position * PER_RUN + 1
  }

  /** Undefined: it is nothing that a wallet could show, or too much. */
  take(kind: WalletKind, call: StoredToolCall): readonly number[] | undefined {
    const read = readWalletCall(kind, parseArguments(call.arguments))
    if (read === undefined) return undefined
    const count = countRequests(read)
    const characters = this.#characters + call.arguments.length
    if (this.#given + count > MAX_OF_AN_ANSWER || characters > MAX_ARGUMENTS) return undefined
    const from = this.#first + this.#given
    this.#given += count
    this.#characters = characters
    return Array.from({ length: count }, (_, index) => from + index)
  }
}
