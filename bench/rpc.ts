import type { ChildProcess } from 'node:child_process'

/** Commands and answers between the bench and its processes: JSON texts on the IPC channel, one command at a time. */

type Answer<Result> = { readonly result: Result } | { readonly error: string }

/** In a child: answers every command until the parent goes away, then leaves. Commands are trusted: both ends are this bench. */
export function serve(handle: (command: string) => unknown, leave: () => void = () => process.exit(0)): void {
  const answer = async (message: unknown): Promise<void> => {
    let reply: Answer<unknown>
    try {
      reply = { result: await handle(String(message)) }
    } catch (error) {
      reply = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
    process.send?.(JSON.stringify(reply))
  }
  process.on('message', (message) => void answer(message))
  process.on('disconnect', leave)
}

/** In the parent. Rejects when the child fails or leaves. */
export function call<Result>(child: ChildProcess, command: unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    const left = (): void => reject(new Error(`a bench process left before it answered ${JSON.stringify(command)}`))
    child.once('exit', left)
    child.once('message', (message) => {
      child.off('exit', left)
      const answer: Answer<Result> = JSON.parse(textOf(message))
      if ('error' in answer) reject(new Error(answer.error))
      else resolve(answer.result)
    })
    child.send(JSON.stringify(command))
  })
}

function textOf(message: unknown): string {
  if (typeof message !== 'string') throw new Error('the IPC channel carries JSON texts')
  return message
}
