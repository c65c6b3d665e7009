/** Standard output, a line at a time. What cannot be written is told at the end, and not in the middle, where a store is open. */
export class Output {
  readonly #stream: NodeJS.WritableStream
  #fault: Error | undefined

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream
    // Else the first one ends the process, and an embedded database stays behind.
    stream.on('error', () => undefined)
  }

  readonly line = (text: string): void => {
    this.#stream.write(`${text}\n`, (fault) => {
      this.#fault ??= fault ?? undefined
    })
  }

  /** Until all of it was taken; rejects with a message for people when some was not. */
  readonly flush = async (): Promise<void> => {
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()))
    if (this.#fault !== undefined) throw new Error(`standard output takes no more: ${this.#fault.message}`)
  }
}
