/** Names in lower case. */
export type HeaderPair = readonly [name: string, value: string]

/**
 * Headers whose names and values are known to be well formed, with names in lower case: what is found and set most, without the
 * checks that the fetch standard makes at each step. All else is the platform's.
 */
export class PlainHeaders implements Headers {
  #pairs: HeaderPair[]

  constructor(pairs: Iterable<HeaderPair>) {
    this.#pairs = [...pairs]
  }

  get pairs(): readonly HeaderPair[] {
    return this.#pairs
  }

  /** A name that came more than once is one list (RFC 9110 5.3). */
  get(name: string): string | null {
    const wanted = name.toLowerCase()
    let found: string | null = null
    for (const [key, value] of this.#pairs) if (key === wanted) found = found === null ? value : `${found}, ${value}`
    return found
  }

  has(name: string): boolean {
    return this.get(name) !== null
  }

  set(name: string, value: string): void {
    const wanted = name.toLowerCase()
    if (this.has(wanted)) this.delete(wanted)
    this.#pairs.push([wanted, value])
  }

  append(name: string, value: string): void {
    this.#pairs.push([name.toLowerCase(), value])
  }

  delete(name: string): void {
    const unwanted = name.toLowerCase()
    this.#pairs = this.#pairs.filter(([key]) => key !== unwanted)
  }

  getSetCookie(): string[] {
    return this.#pairs.flatMap(([key, value]) => (key === 'set-cookie' ? [value] : []))
  }

  forEach(callback: (value: string, key: string, headers: Headers) => void): void {
    for (const [key, value] of this) callback(value, key, this)
  }

  entries() {
    return this.#copy().entries()
  }

  keys() {
    return this.#copy().keys()
  }

  values() {
    return this.#copy().values()
  }

  [Symbol.iterator]() {
    return this.entries()
  }

  #copy(): Headers {
    return new Headers(this.#pairs.map(([name, value]): [string, string] => [name, value]))
  }
}
