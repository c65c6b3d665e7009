import { ProviderUnavailable, TITLE_PROMPT } from '../../ports/provider.ts'
import { MAX_TITLE_LENGTH } from '../../protocol/limits.ts'
import { toStorable } from '../../protocol/text.ts'
import { ownKeys } from '../calls/own-secrets.ts'
import type { Session } from '../session/session.ts'
import type { RunPlan } from './run-plan.ts'

/** Characters of the first message that stand as the title until the model has made one. */
const FIRST_WORDS_LENGTH = 60
/** Characters of the message that the model reads for a title. */
const EXCERPT_LENGTH = 2000
const TITLE_TOKENS = 64
const TITLE_SYSTEM =
  'You name conversations. Answer with a title of two to six words and nothing else: no quotes, no full stop.'

/** Reasoning that a server leaves in the text, to its end or to where the answer was cut. */
const THOUGHT = /<think>[\s\S]*?(?:<\/think>|$)/

/** The first words of a message, cut at a word's end. */
export function firstWords(content: string): string {
  const line = content.trim().replace(/\s+/g, ' ')
  if (line.length <= FIRST_WORDS_LENGTH) return line
  const cut = line.slice(0, FIRST_WORDS_LENGTH)
  const space = cut.lastIndexOf(' ')
  return `${(space > 0 ? cut.slice(0, space) : cut).toWellFormed()}…`
}

/**
 * Asks the model that answered for a better title, once; never over a person's own. Failing is no harm. Where it has none to give,
 * because it thought its tokens away or took too long, the first words are the title: it would do the same after each answer.
 */
export async function improveTitle(session: Session, plan: RunPlan, model: string): Promise<void> {
  const { core } = session
  if (!core.settings.titles || session.row.titleBy !== 'start' || session.retired) return
  try {
    const title = await askForTitle(session, plan, model).catch((thrown: unknown) => {
      if (thrown instanceof ProviderUnavailable) throw thrown
      core.telemetry.log('debug', 'no title', {}, thrown)
      return ''
    })
    if (title === undefined) return
    await session.exclusive(async () => {
      if (session.row.titleBy !== 'start' || session.retired) return
      const named = title === '' ? {} : { title }
      await session.change({ ...named, titleBy: 'model' }, {}, core.settings.storeGiveUpMs)
      if (title !== '') session.announce({ type: 'session.updated', title })
    })
  } catch (thrown) {
    core.telemetry.log('debug', 'no title', {}, thrown)
  }
}

/** Undefined: there is nothing to ask about, or nobody to ask. */
async function askForTitle(session: Session, plan: RunPlan, model: string): Promise<string | undefined> {
  const { core } = session
  const resolved = core.providers.resolve(model, await ownKeys(core, session.row))
  const asked = plan.userMessage?.content
  if (resolved === undefined || asked === undefined) return undefined
  const request = {
    model: resolved.model,
    ...(resolved.apiKey === undefined ? {} : { apiKey: resolved.apiKey }),
    system: TITLE_SYSTEM,
    messages: [
      {
        role: 'user' as const,
        content: `${TITLE_PROMPT}\n${asked.slice(0, EXCERPT_LENGTH).toWellFormed()}`,
      },
    ],
    tools: [],
    maxOutputTokens: TITLE_TOKENS,
  }
  let text = ''
  for await (const events of resolved.provider.stream(request, AbortSignal.timeout(core.settings.titleMs))) {
    for (const event of events) if (event.type === 'text') text += event.delta
    if (text.length > MAX_TITLE_LENGTH) break
  }
  const line = toStorable(text.replace(THOUGHT, ''))
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^["']+|["'.]+$/g, '')
  return line.slice(0, MAX_TITLE_LENGTH).toWellFormed()
}
