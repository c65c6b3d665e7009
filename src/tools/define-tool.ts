import * as v from 'valibot'
import type { ToolSpec } from '../ports/provider.ts'
import { type Tool, type ToolContext, ToolError } from '../ports/tool.ts'
import { IN_WORDS } from '../protocol/in-words.ts'

/** Faults of one call that are told at once: more would not help a model to do it right the next time. */
const MAX_TOLD_FAULTS = 3

type Definition<Schema extends v.GenericSchema> = ToolSpec & {
  /** Says the same as `parameters`, to us. */
  readonly schema: Schema
  readonly run: (args: v.InferOutput<Schema>, context: ToolContext) => string | Promise<string>
}

/** A tool whose arguments are checked before it runs; what is wrong with them is said to the model. */
export function defineTool<Schema extends v.GenericSchema>(definition: Definition<Schema>): Tool {
  const { name, description, parameters, schema, run } = definition
  return {
    spec: { name, description, parameters },
    async execute(args, context) {
      const parsed = v.safeParse(schema, args, IN_WORDS)
      if (!parsed.success) throw new ToolError(`The arguments are not right. ${describeFaults(parsed.issues)}`)
      return run(parsed.output, context)
    },
  }
}

function describeFaults(issues: readonly v.BaseIssue<unknown>[]): string {
  const faults = issues
    .slice(0, MAX_TOLD_FAULTS)
    .map((issue) => `${v.getDotPath(issue) ?? 'arguments'}: ${issue.message}`)
  return `${faults.join('; ')}.`
}
