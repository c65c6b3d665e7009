const SVG = 'http://www.w3.org/2000/svg'

/** Strokes on a grid of 24 by 24. */
const PATHS = {
  send: ['M12 19V5', 'M6 11l6-6 6 6'],
  stop: ['M8 8h8v8H8z'],
  copy: ['M9 9h10v10H9z', 'M5 15V5h10'],
  check: ['M5 12.5l4.5 4.5L19 7.5'],
  retry: ['M4.5 12a7.5 7.5 0 1 1 2.2 5.3', 'M4 19v-4.5h4.5'],
  edit: ['M4 20l1-4L16 5l3 3L8 19z', 'M14 7l3 3'],
  trash: ['M5 7h14', 'M9 7V4.5h6V7', 'M7 7l1 12.5h8L17 7', 'M10.5 10.5v5.5', 'M13.5 10.5v5.5'],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  menu: ['M4 7h16', 'M4 12h16', 'M4 17h16'],
  plus: ['M12 5v14', 'M5 12h14'],
  down: ['M12 5v14', 'M6 13l6 6 6-6'],
  chevron: ['M9 6l6 6-6 6'],
  settings: ['M4 8h9', 'M17 8h3', 'M15 5.5v5', 'M4 16h3', 'M11 16h9', 'M9 13.5v5'],
  chat: ['M4 5h16v11H11l-5 4v-4H4z'],
  tool: ['M14.5 5.5a4 4 0 0 0-4.9 5.3L4 16.4 7.6 20l5.6-5.6a4 4 0 0 0 5.3-4.9L16 12l-2.8-.8L12.400 8.400z'],
  clock: ['M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16z', 'M12 8v4.500l3 1.500'],
  warning: ['M12 4.500l8.500 15h-17z', 'M12 10v4.500', 'M12 17v.1'],
} as const

export type IconName = keyof typeof PATHS

/** A picture beside a text or in a button with a label: screen readers pass over it. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', `icon icon-${name}`)
  svg.setAttribute('aria-hidden', 'true')
  svg.setAttribute('focusable', 'false')
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, 'path')
    path.setAttribute('d', d)
    svg.append(path)
  }
  return svg
}
