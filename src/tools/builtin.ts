import type { Tool } from '../ports/tool.ts'
import { calculator } from './builtin/calculator.ts'
import { createClock } from './builtin/clock.ts'
import { dateCalculator } from './builtin/dates.ts'
import { random } from './builtin/random.ts'
import { unitConverter } from './builtin/units.ts'

/** General-purpose tools that reach nothing outside the process: what the `default` App offers to everyone. */
export const BUILTIN_TOOLS: readonly Tool[] = [createClock(Date.now), calculator, unitConverter, dateCalculator, random]
