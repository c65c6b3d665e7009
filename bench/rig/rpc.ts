import type { ChildProcess } from 'node:child_process'

/**
 * Commands and answers between the bench and its processes: texts on the IPC channel, `<number> <JSON>`. A number ties an answer
 * to its command, so that one that takes a while does not hold up the next.
 */

type Answer<Result> = { readonly result: Result } | { readonly error: string }

/** In a child: answers every command until the parent goes away, then leaves. Commands are trusted: both ends are this bench. */
export function serve(handle: (command: string) => unknown, leave: () => void = () => process.exit(0)): void {
  const answer = async (text: string): Promise<void> => {
    const [number, command] = taken(text)
    let reply: Answer<unknown>
    try {
      reply = { result: await handle(command) }
    } catch (error) {
      reply = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
    // A parent that has gone hears nothing any more; `disconnect` tells so.
    process.send?.(`${number} ${JSON.stringify(reply)}`, undefined, undefined, () => {})
  }
  process.on('message', (message) => void answer(textOf(message)))
  process.on('disconnect', leave)
}

let calls = 0

/** In the parent. Rejects when the child fails or leaves. */
export function call<Result>(child: ChildProcess, command: unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    const mine = String(++calls)
    const settle = (): void => {
      child.off('exit', left)
      child.off('message', hear)
    }
    const left = (): void => {
      settle()
      reject(new Error(`a bench process left before it answered ${JSON.stringify(command)}`))
    }
    const hear = (message: unknown): void => {
      const [number, reply] = taken(textOf(message))
      if (number !== mine) return
      settle()
      const answer: Answer<Result> = JSON.parse(reply)
      if ('error' in answer) reject(new Error(answer.error))
      else resolve(answer.result)
    }
    child.on('exit', left)
    child.on('message', hear)
    if (!child.connected) return left()
    child.send(`${mine} ${JSON.stringify(command)}`, (error) => error && left())
  })
}

function taken(text: string): readonly [string, string] {
  const space = text.indexOf(' ')
  return [text.slice(0, space), text.slice(space + 1)]
}

function textOf(message: unknown): string {
  if (typeof message !== 'string') throw new Error('the IPC channel carries texts')
  return message
}
