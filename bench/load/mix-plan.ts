import { Dice } from '../../test/support/dice.ts'

/** What one person will do. Times in ms. */
export type Plan = {
  /** After the start of the mix. */
  readonly arrival: number
  readonly runs: readonly PlannedRun[]
}

export type PlannedRun = {
  /** After what was before. */
  readonly think: number
  readonly tokens: number
  readonly tool: boolean
  /** Stops once so many tokens have come. */
  readonly stopAt: number | undefined
  /** Loses the line once so many tokens have come, and is away for a while. */
  readonly cutAt: number | undefined
  readonly away: number
}

export type PlanOptions = {
  readonly seed: number
  readonly seconds: number
  /** People a second, at the busiest. */
  readonly arrivals: number
  readonly shape: 'day' | 'even'
  readonly tools: boolean
}

/** The quietest hour, as a share of the busiest. */
const NIGHT = 0.15
/** The plan's shares are of what an assistant's users do; each is frequent enough to be seen in a minute. */
const STOPS = 0.15
const CUTS = 0.15
const TOOLS = 0.2
const ANOTHER_RUN = 0.6
const MOST_RUNS = 6
/** Reading an answer and typing a message, compressed: people are slower, and then there would be more of them. */
const THINK_MS = { least: 500, most: 4000 }
const TOKENS = { least: 20, most: 300 }
const AWAY_MS = { least: 100, most: 2500 }

/** The share of the busiest hour's arrivals at a part (0 to 1) of the day: one long hill, with a dip after noon. */
export function dayShape(part: number): number {
  const hill = Math.sin(Math.PI * part) ** 2
  const dip = 0.3 * Math.exp(-(((part - 0.55) / 0.06) ** 2))
  return NIGHT + (1 - NIGHT) * Math.max(0, hill - dip)
}

/** Everyone who comes, in the order of coming. The same for the same options. */
export function planMix({ seed, seconds, arrivals, shape, tools }: PlanOptions): Plan[] {
  const dice = new Dice(seed)
  const plans: Plan[] = []
  const end = seconds * 1000
  // Arrivals at the busiest rate, of which the hour's share is kept: they come by themselves, whatever the server does.
  for (let at = dice.untilNext(arrivals); at < end; at += dice.untilNext(arrivals)) {
    const comes = shape === 'even' || dice.chance(dayShape(at / end))
    if (comes) plans.push({ arrival: at, runs: planRuns(dice.fork(), tools) })
  }
  return plans
}

function planRuns(dice: Dice, tools: boolean): PlannedRun[] {
  const runs: PlannedRun[] = []
  do runs.push(planRun(dice, tools))
  while (runs.length < MOST_RUNS && dice.chance(ANOTHER_RUN))
  return runs
}

function planRun(dice: Dice, tools: boolean): PlannedRun {
  const tokens = Math.round(dice.between(TOKENS.least, TOKENS.most))
  const [stops, cuts, tool] = [dice.chance(STOPS), dice.chance(CUTS), dice.chance(TOOLS)]
  // Before the end: the answer has to be under way.
  const somewhere = Math.max(1, Math.round(tokens * dice.between(0.1, 0.8)))
  return {
    think: dice.between(THINK_MS.least, THINK_MS.most),
    tokens,
    tool: tools && tool,
    stopAt: stops ? somewhere : undefined,
    cutAt: cuts && !stops ? somewhere : undefined,
    away: dice.between(AWAY_MS.least, AWAY_MS.most),
  }
}
