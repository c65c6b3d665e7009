import { median } from '../load/latencies.ts'
import type { Spent } from '../rig/rig.ts'

/** A part of a measurement, and what was spent in it. */
export type Spell = { readonly spent: Spent }

/** A window counts when others took at most this many cores. */
const OTHERS_CORES = 0.12

export function undisturbed({ spent }: Spell): boolean {
  return spent.others / spent.wall <= OTHERS_CORES
}

/** The undisturbed windows where there are enough of them, else all; and what the reader should know of it. */
export function windowsToUse<Window extends Spell>(
  all: readonly Window[],
  enough: number,
): { readonly windows: readonly Window[]; readonly clean: number; readonly notes: readonly string[] } {
  const clean = all.filter(undisturbed)
  if (clean.length >= enough) return { windows: clean, clean: clean.length, notes: [] }
  const notes = [`only ${clean.length} of ${all.length} windows undisturbed: all used`]
  return { windows: all, clean: clean.length, notes }
}

/** Of windows that have a figure at all; NaN when none has. */
export function middleOf<Window>(windows: readonly Window[], figure: (window: Window) => number): number {
  return windows.length === 0 ? Number.NaN : median(windows.map(figure))
}
