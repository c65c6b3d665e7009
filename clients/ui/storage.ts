/** A shelf of texts that may refuse: private windows and full disks do. */
export interface TextStorage {
  get(name: string): string | undefined
  set(name: string, value: string | undefined): void
}

/** `localStorage` or `sessionStorage`; where the browser refuses it, what is put in is forgotten. */
export function browserStorage(kind: 'local' | 'session'): TextStorage {
  const storage = (): Storage => (kind === 'local' ? localStorage : sessionStorage)
  return {
    get: (name) => quietly(() => storage().getItem(name) ?? undefined),
    set: (name, value) =>
      quietly(() => (value === undefined ? storage().removeItem(name) : storage().setItem(name, value))),
  }
}

/** Keeps as long as the page is there. */
export function pageStorage(): TextStorage {
  const texts = new Map<string, string>()
  return {
    get: (name) => texts.get(name),
    set: (name, value) => void (value === undefined ? texts.delete(name) : texts.set(name, value)),
  }
}

function quietly<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    // The page works without it; it only remembers less.
    return undefined
  }
}
