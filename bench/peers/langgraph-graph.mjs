import { ChatAnthropic } from '@langchain/anthropic'
import { END, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph'

const model = new ChatAnthropic({
  model: 'claude-sonnet-4-5',
  apiKey: process.env.ANTHROPIC_API_KEY,
  anthropicApiUrl: process.env.ANTHROPIC_BASE_URL,
  maxRetries: 0,
})

export const graph = new StateGraph(MessagesAnnotation)
  .addNode('answer', async ({ messages }, { signal }) => ({ messages: [await model.invoke(messages, { signal })] }))
  .addEdge(START, 'answer')
  .addEdge('answer', END)
  .compile()
