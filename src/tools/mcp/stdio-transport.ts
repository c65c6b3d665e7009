import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { ToolError } from '../../ports/tool.ts'
import { linesOf } from './stdio-lines.ts'

/** A program that the operator lets servers be started from. */
export type McpProgram = {
  readonly command: string
  readonly args: readonly string[]
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Apps that may use it; absent: all. */
  readonly apps?: readonly string[]
}

/** Bytes that may wait for a process which does not read: a few calls with large arguments. */
const MAX_WAITING_BYTES = 4_194_304
/** Milliseconds from the end of its input to SIGTERM, and from there to SIGKILL. */
const [LEAVE_MS, KILL_MS] = [1000, 2000]
/** Milliseconds from the end of the process for what it wrote last: what it left running may keep its output open for ever. */
const LAST_WORDS_MS = 500

export type StdioParts = {
  readonly program: McpProgram
  /** Of one message. */
  readonly maxBytes: number
  readonly read: (line: unknown) => JSONRPCMessage
  readonly stderr: { take(chunk: Buffer): void; end(): void }
}

/**
 * A server as a child process. Beside what the SDK's own does: its environment is only what the operator names, a message has
 * a bound, and what it has started goes with it.
 */
export class StdioTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: Transport['onmessage']
  /** Why it was closed from our side, for the calls that were on. */
  fault: ToolError | undefined
  readonly #parts: StdioParts
  #child: ChildProcessWithoutNullStreams | undefined
  #closed: Promise<void> = Promise.resolve()

  constructor(parts: StdioParts) {
    this.#parts = parts
  }

  /** Resolves when it runs; rejects when it cannot be started. */
  async start(): Promise<void> {
    const { command, args, env, cwd } = this.#parts.program
    // A group of its own: a signal of the terminal must not end it in the middle of our drain, and all of it can be ended.
    const child = spawn(command, args, { env, cwd, stdio: 'pipe', shell: false, detached: true })
    this.#child = child
    this.#closed = new Promise((resolve) => child.once('close', () => resolve()))
    child.once('exit', () => this.#onExit(child))
    child.once('close', () => this.#onClose())
    void this.#listen(child)
    child.stderr.on('data', (chunk: Buffer) => this.#parts.stderr.take(chunk))
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', (error) => this.onerror?.(error))
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.on('error', (error) => this.onerror?.(error))
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin
    if (stdin === undefined || !stdin.writable) throw new ToolError('The server is not there.')
    stdin.write(`${JSON.stringify(message)}\n`)
    if (stdin.writableLength > MAX_WAITING_BYTES) this.#give(new ToolError('The server does not read what it is sent.'))
  }

  /** Asks it to leave, then makes it. Resolves when it is gone. */
  async close(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    child.stdin.end()
    const timers = [
      setTimeout(() => signal(child, 'SIGTERM'), LEAVE_MS),
      setTimeout(() => signal(child, 'SIGKILL'), LEAVE_MS + KILL_MS),
    ]
    await this.#closed
    for (const timer of timers) clearTimeout(timer)
  }

  #onExit(child: ChildProcessWithoutNullStreams): void {
    // Its own children may still be there.
    signal(child, 'SIGKILL')
    const leave = setTimeout(() => {
      for (const stream of [child.stdout, child.stderr]) stream.destroy()
    }, LAST_WORDS_MS)
    child.once('close', () => clearTimeout(leave))
  }

  #onClose(): void {
    this.#child = undefined
    this.#parts.stderr.end()
    this.onclose?.()
  }

  async #listen(child: ChildProcessWithoutNullStreams): Promise<void> {
    try {
      for await (const line of linesOf(child.stdout, this.#parts.maxBytes)) {
        if (this.fault !== undefined || this.#child !== child) break
        this.#read(line)
      }
    } catch (thrown) {
      // Anything else is the stream's, and told by its listener.
      if (thrown instanceof ToolError) this.#give(thrown)
    }
  }

  /** Something that is no message, as a program prints it that takes its output for a terminal, is passed over. */
  #read(line: string): void {
    try {
      const message = this.#parts.read(JSON.parse(line))
      this.onmessage?.(message)
    } catch (thrown) {
      this.onerror?.(thrown instanceof Error ? thrown : new Error('no message'))
    }
  }

  /** Gives it up: which call an endless message belongs to cannot be known. */
  #give(fault: ToolError): void {
    if (this.fault !== undefined || this.#child === undefined) return
    this.fault = fault
    signal(this.#child, 'SIGKILL')
  }
}

/** To all of its group; one that is gone is no fault. */
function signal({ pid }: ChildProcessWithoutNullStreams, name: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, name)
  } catch {
    // It has left.
  }
}
