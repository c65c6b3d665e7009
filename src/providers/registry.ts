import type { Provider, Providers } from '../ports/provider.ts'

/** Between a provider's name and its model's; the model's own name may hold more of them. */
const SEPARATOR = '/'

/** The configured providers, by name. A second one of the same name is a mistake of the caller. */
export function createProviders(list: readonly Provider[]): Providers {
  const byName = new Map(list.map((provider) => [provider.name, provider]))
  if (byName.size !== list.length) throw new Error('two providers have the same name')
  return {
    takingKeys: list.filter(({ ownKey }) => ownKey !== undefined).map(({ name }) => name),
    resolve(model, own) {
      const end = model.indexOf(SEPARATOR)
      const provider = end === -1 ? undefined : byName.get(model.slice(0, end))
      const name = model.slice(end + 1)
      if (provider === undefined || name === '') return undefined
      const key = provider.ownKey === undefined ? undefined : own?.get(provider.name)
      if (provider.ownKey === 'must' && key === undefined) return undefined
      return { provider, model: name, ...(key === undefined ? {} : { apiKey: key.reveal() }) }
    },
  }
}
