/** Charts as inline SVG, drawn for both themes: colours are of the page's style sheet. */

export type Series = {
  readonly name: string
  /** Of the style sheet: `line-1` and so on. */
  readonly colour: number
  /** Where there is no value the line is broken. */
  readonly points: readonly (readonly [x: number, y: number | undefined])[]
}

export type Chart = {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  /** Parts of the x axis that are shaded. */
  readonly shaded?: readonly (readonly [from: number, to: number])[]
}

export type Axis = {
  /** With its unit. */
  readonly label: string
  readonly scale: 'linear' | 'log'
  /** Marks that are not numbers of the scale itself: [place, text]. */
  readonly marks?: readonly (readonly [number, string])[]
}

const WIDTH = 560
const HEIGHT = 270
const EDGE = { left: 62, right: 30, top: 14, bottom: 46 }
const PLOT = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom }
/** About so many marks fit. */
const MARKS = 6
/** A log axis begins at most this far under its highest value. */
const MOST_DECADES = 6

type Scale = { readonly at: (value: number) => number; readonly marks: readonly (readonly [number, string])[] }

/** Empty where there is nothing to draw. */
export function drawChart({ title, x, y, series, shaded = [] }: Chart): string {
  const all = series.flatMap(knownOf)
  if (all.length === 0) return ''
  const across = scaleOf(
    x,
    all.map(([value]) => value),
    PLOT.width,
  )
  const up = scaleOf(
    y,
    all.map(([, value]) => value),
    PLOT.height,
  )
  const left = (value: number): string => (EDGE.left + across.at(value)).toFixed(1)
  const top = (value: number): string => (EDGE.top + PLOT.height - up.at(value)).toFixed(1)
  const bottom = EDGE.top + PLOT.height
  const parts = [
    ...shaded.map(
      ([from, to]) =>
        `<rect class="shade" x="${left(from)}" y="${EDGE.top}" width="${Math.max(0, across.at(to) - across.at(from)).toFixed(1)}" height="${PLOT.height}"/>`,
    ),
    ...up.marks.map(
      ([value, text]) =>
        `<line class="grid" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${top(value)}" y2="${top(value)}"/>` +
        `<text class="mark" x="${EDGE.left - 8}" y="${top(value)}" dy="0.32em" text-anchor="end">${text}</text>`,
    ),
    ...across.marks.map(
      ([value, text]) =>
        `<line class="tick" x1="${left(value)}" x2="${left(value)}" y1="${bottom}" y2="${bottom + 5}"/>` +
        `<text class="mark" x="${left(value)}" y="${bottom + 18}" text-anchor="middle">${text}</text>`,
    ),
    `<line class="axis" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${bottom}" y2="${bottom}"/>`,
    ...series.map((one) => lineOf(one, left, top)),
    `<text class="name" x="${EDGE.left + PLOT.width / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escape(x.label)}</text>`,
    `<text class="name" transform="translate(14 ${EDGE.top + PLOT.height / 2}) rotate(-90)" text-anchor="middle">${escape(y.label)}</text>`,
  ]
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">${parts.join('')}</svg>`
  return `<figure><figcaption>${escape(title)}${legendOf(series)}</figcaption>${svg}</figure>`
}

function lineOf({ points, colour }: Series, left: (x: number) => string, top: (y: number) => string): string {
  const classes = `line line-${colour}`
  const broken = points.map(([x, y], nth) => {
    if (y === undefined) return ''
    const isFirst = points[nth - 1]?.[1] === undefined
    // A value between two gaps: a line to itself, which round ends make a dot.
    const isAlone = isFirst && points[nth + 1]?.[1] === undefined
    const place = `${left(x)} ${top(y)}`
    return isFirst ? `M${place}${isAlone ? `L${place}` : ''}` : `L${place}`
  })
  return `<path class="${classes}" d="${broken.join('')}"/>`
}

type Known = readonly [x: number, y: number]

function knownOf({ points }: Series): Known[] {
  return points.flatMap(([x, y]) => (y === undefined ? [] : [[x, y] as const]))
}

function legendOf(series: readonly Series[]): string {
  const named = series.filter((one) => knownOf(one).length > 0)
  if (named.length === 0) return ''
  const keys = named.map(({ name, colour }) => `<span class="key"><i class="line-${colour}"></i>${escape(name)}</span>`)
  return `<span class="legend">${keys.join('')}</span>`
}

function scaleOf({ scale, marks }: Axis, values: readonly number[], length: number): Scale {
  const most = Math.max(...values)
  return scale === 'log' ? logScale(values, most, length, marks) : linearScale(most, length, marks)
}

/** From 0. */
function linearScale(most: number, length: number, marks: Axis['marks']): Scale {
  const step = stepOf(most > 0 ? most : 1)
  const end = marks === undefined ? Math.max(step, Math.ceil(most / step - 1e-9) * step) : most
  const own = Array.from({ length: Math.round(end / step) + 1 }, (_, nth) => nth * step)
  return {
    at: (value) => (value / end) * length,
    marks: marks?.filter(([value]) => value <= end) ?? own.map((value) => [value, numberText(value)] as const),
  }
}

/** 1, 2 or 5 and zeros, so that some marks fit. */
function stepOf(most: number): number {
  const raw = most / MARKS
  const power = 10 ** Math.floor(Math.log10(raw))
  return power * ([1, 2, 5].find((times) => times * power >= raw) ?? 10)
}

/** Whole decades. */
function logScale(values: readonly number[], most: number, length: number, marks: Axis['marks']): Scale {
  const above = values.filter((value) => value > 0)
  if (above.length === 0) return linearScale(most, length, marks)
  const high = Math.ceil(Math.log10(most) - 1e-9)
  const low = Math.max(high - MOST_DECADES, Math.min(high - 1, Math.floor(Math.log10(Math.min(...above)) + 1e-9)))
  const own = Array.from({ length: high - low + 1 }, (_, nth) => 10 ** (low + nth))
  return {
    at: (value) => (Math.max(0, Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * length,
    marks: marks ?? own.map((value) => [value, numberText(value)] as const),
  }
}

/** `0.5`, `12`, `3k`, `1.5M`. */
export function numberText(value: number): string {
  const [size, unit] = Math.abs(value) >= 1e6 ? [1e6, 'M'] : Math.abs(value) >= 1e4 ? [1e3, 'k'] : [1, '']
  return `${Number((value / size).toPrecision(6))}${unit}`
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** A text as it stands in HTML, also between quotes. */
export function escape(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ESCAPES[character] ?? character)
}
