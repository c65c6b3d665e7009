import { Dice } from '../support/dice.ts'
import type { MessagesRequest, Reply } from '../support/messages-api.ts'
import { stream } from '../support/messages-api.ts'
import { answer, type Block, type Step, text, thinking, toolUse } from '../support/messages-api-events.ts'

/** One answer of the model as it is written: no two have a word in common. */
export type Scripted = {
  readonly name: string
  readonly ask: number
  readonly text: string
  readonly thinking: string
  /** Nothing follows it in its run. */
  readonly final: boolean
}

/** What an ask makes the model do; without one it follows the seed. */
export type AskPlan = {
  readonly words: number
  readonly tokensPerSecond: number
  /** The answer stops before its last words until this settles. */
  readonly until?: Promise<unknown>
}

/** Marks the number of an ask in a message, so that the model's side knows what it answers. */
const ASK = /\[ask (\d+)\]/
const ASKS = new RegExp(ASK, 'g')
const NAME = /^\s*[at](\d+-\d+)\./
/** Between them an answer takes from an instant to a second; a slow one gives time for a cut in its middle. */
const [MIN_WORDS, MAX_WORDS] = [3, 90]
const RATES = [100, 300, 1000, 5000] as const
/** Of answers that think before, and of those that use a tool on their way. */
const [THINKS, CALLS] = [0.2, 0.2]
/** One, two, three and four bytes of UTF-8: a cut falls inside characters, too. */
const GLYPHS = ['', 'é', '語', '🙂'] as const
/** Any odd number: it keeps the dice of two asks apart. */
const ASK_STRIDE = 7919

/** The model's side of the conversations: it answers every ask with words of its own, and remembers what it was to say. */
export class Oracle {
  readonly #seed: number
  readonly #scripts = new Map<string, Scripted>()
  readonly #requests = new Map<number, number>()
  readonly #begun = new Map<number, number>()
  readonly #plans = new Map<number, AskPlan>()
  #asks = 0
  /** Requests that named no ask: the server asked something that nobody wrote. */
  strangers = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  /** A message of its own for a person to send. */
  write(plan?: AskPlan): string {
    const ask = ++this.#asks
    if (plan !== undefined) this.#plans.set(ask, plan)
    return `[ask ${ask}] please`
  }

  /** The script of the Messages API stub. */
  readonly reply = (request: MessagesRequest): Reply => {
    const found = askOf(request.body['messages'])
    if (found === undefined) this.strangers++
    const { ask, resultsAfter } = found ?? { ask: 0, resultsAfter: false }
    const nth = this.#requests.get(ask) ?? 0
    this.#requests.set(ask, nth + 1)
    if (!resultsAfter) this.#begun.set(ask, (this.#begun.get(ask) ?? 0) + 1)
    const dice = new Dice(this.#seed + ask * ASK_STRIDE + nth)
    return this.#speak({ ask, nth, mayCall: !resultsAfter, dice })
  }

  /** How often an answer to this message was begun. */
  answersTo(content: string): number {
    return this.#begun.get(Number(ASK.exec(content)?.[1] ?? 0)) ?? 0
  }

  /** The script that a text is of; undefined for a text that nobody wrote. */
  scriptOf(content: string): Scripted | undefined {
    const name = NAME.exec(content)?.[1]
    return name === undefined ? undefined : this.#scripts.get(name)
  }

  /** What is wrong with a message's text so far; undefined when it is the beginning of what was to be said. */
  judge(role: 'assistant' | 'reasoning', content: string): string | undefined {
    if (content === '') return undefined
    const script = this.scriptOf(content)
    if (script === undefined) return `a text of nobody: ${content.slice(0, 60)}`
    const whole = role === 'assistant' ? script.text : script.thinking
    if (whole.startsWith(content)) return undefined
    let at = 0
    while (whole[at] === content[at]) at++
    return `${role} of answer ${script.name} differs at ${at}: ${JSON.stringify(content.slice(at - 20, at + 20))} for ${JSON.stringify(whole.slice(at - 20, at + 20))}`
  }

  #speak({ ask, nth, mayCall, dice }: { ask: number; nth: number; mayCall: boolean; dice: Dice }): Reply {
    const plan = this.#plans.get(ask)
    const name = `${ask}-${nth}`
    const count = plan?.words ?? MIN_WORDS + dice.below(MAX_WORDS - MIN_WORDS)
    const words = (letter: string, length: number): string =>
      Array.from({ length }, (_, at) => `${letter}${name}.${at}${dice.pick(GLYPHS)}`).join(' ')
    const thought = plan === undefined && dice.chance(THINKS) ? words('t', MIN_WORDS) : ''
    const calls = plan === undefined && mayCall && dice.chance(CALLS)
    const said = words('a', count)
    this.#scripts.set(name, { name, ask, text: said, thinking: thought, final: !calls })
    const blocks: Block[] = [
      ...(thought === '' ? [] : [thinking(thought)]),
      text(said),
      ...(calls ? [toolUse(`toolu_${name}`, 'calculator', { expression: `${ask}+${nth}` })] : []),
    ]
    const steps = plan?.until === undefined ? answer(blocks) : heldBefore(answer(blocks), plan.until)
    return stream(steps, { tokensPerSecond: plan?.tokensPerSecond ?? dice.pick(RATES) })
  }
}

/** The steps with a silence before the last token. */
function heldBefore(steps: readonly Step[], until: Promise<unknown>): Step[] {
  const last = steps.findLastIndex((step) => step.step === 'send' && step.token)
  return [...steps.slice(0, last), { step: 'hold', until }, ...steps.slice(last)]
}

/** The newest ask in a request's messages, and whether a tool's results follow it. */
function askOf(messages: unknown): { readonly ask: number; readonly resultsAfter: boolean } | undefined {
  if (!Array.isArray(messages)) return undefined
  const texts = messages.map((message) => JSON.stringify(message))
  const at = texts.findLastIndex((each) => ASK.test(each))
  // Questions that got no answer stand in one message of the API's: the last of them is the one that is asked.
  const ask = [...(texts[at] ?? '').matchAll(ASKS)].at(-1)?.[1]
  if (ask === undefined) return undefined
  return { ask: Number(ask), resultsAfter: texts.slice(at + 1).some((each) => each.includes('tool_result')) }
}
