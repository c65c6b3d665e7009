/** A shelf of texts that may refuse: private windows and full disks do. */
export interface TextStorage {
  get(name: string): string | undefined
  set(name: string, value: string | undefined): void
}

/** What the browser refused to keep. */
const refused = { local: pageStorage(), session: pageStorage() }

/** `localStorage` or `sessionStorage`; what the browser refuses to keep is kept as long as the page is there. */
export function browserStorage(kind: 'local' | 'session'): TextStorage {
  const storage = (): Storage => (kind === 'local' ? localStorage : sessionStorage)
  return {
    get: (name) => refused[kind].get(name) ?? quietly(() => storage().getItem(name) ?? undefined),
    set(name, value) {
      const isKept = quietly(() => {
        if (value === undefined) storage().removeItem(name)
        else storage().setItem(name, value)
        return true
      })
      refused[kind].set(name, isKept ? undefined : value)
    },
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
