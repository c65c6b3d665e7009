/** What the scripted model says. It is shown to people who try Parley without a key: it has to say that it is not an AI. */

export const GREETING =
  'Hello! I am the scripted demo of Parley: not an AI, but a fixed program that answers by a few patterns. ' +
  'Say "help" to see what I can do.'

export const FALLBACK =
  'I am only the scripted demo of Parley, not an AI, so I have no real answer to that. Say "help" to see what I can do.'

export const IDENTITY =
  'No AI here: I am a scripted demo that comes with Parley. I recognise a few phrases and answer them the same way every ' +
  'time. With an API key the server talks to a real model instead.'

export const HELP = `I am the **scripted demo** of Parley. I am not an AI: I answer a few phrases, so that you can see how Parley behaves.

| say | and see |
|---|---|
| \`calculate 2+2\` | a tool call and its result |
| \`calculate 2+2 and 3*7\` | several tools at once |
| \`add up 1 to 100\` | a tool call with long arguments |
| \`what time is it in Europe/Paris\` | the clock |
| \`convert 5 km to mile\` | unit conversion |
| \`days between 2026-01-01 and 2026-12-25\` | date arithmetic |
| \`roll a die\` or \`uuid\` | random values |
| \`look up opening hours\` | a search in the documents of an App that has some |
| \`use calculator {"expression": "1+1"}\` | any tool of the App, by its name |
| \`think about rain\` | reasoning, then an answer |
| \`count from 1 to 1000\` | a long, slow answer: press Stop |
| \`remember the number 42\` | and later \`what number did I ask you to remember?\` |
| \`show markdown\` | formatted text |
| \`fail\`, \`refuse\`, \`stall\` | an error, a refusal, silence |
`

export const MARKDOWN = `## A heading

Some **bold** and *italic* text with \`inline code\` and a [link](https://example.com/).

- a list
- with two items
  1. and an inner one

| left | right |
|---|---:|
| one | 1 |
| two | 2 |

\`\`\`ts
export const answer = 42
\`\`\`

> A quotation at the end.
`

export const REASONING =
  'The message asks me to think, so I show what thinking looks like. First I read the words, then I look for a phrase that I ' +
  'know, and then I pick the answer that belongs to it.'

export const REASONED =
  'I have thought about it as far as a script can: the text above is the reasoning of this demo, and this is its answer.'

export const FAILING = 'This answer starts well, but it is going to fail in the middle of'

export const REFUSING = 'I would rather not'

export const REMEMBERED = (what: string): string => `I will remember ${what}.`
export const RECALLED = (what: string): string => `You asked me to remember ${what}.`
export const FORGOTTEN = 'You have not asked me to remember anything in this conversation.'

export const NO_TOOL = (name: string): string =>
  `That would take the tool "${name}", which this App does not give me. Say "help" to see what else I can do.`

export const TOO_MANY = (limit: number): string => `That is more than I do in one answer: at most ${limit}.`
