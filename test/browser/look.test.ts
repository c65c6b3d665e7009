import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { describeWith } from '../support/services.ts'
import { Visitor } from './visitor.ts'

const PHONE: BrowserContextOptions = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true }
const SCREENS: readonly (readonly [string, BrowserContextOptions])[] = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone, light', { ...PHONE, colorScheme: 'light' }],
  ['phone, dark', { ...PHONE, colorScheme: 'dark' }],
]

/** WCAG 2, level AA, for text of normal size. */
const MIN_CONTRAST = 4.5
/** A page that is drawn has hundreds of colours, by the smooth edges of its letters alone. */
const MIN_COLOURS = 50

/** The same, for the edges of what can be written in or pressed. */
const MIN_EDGE_CONTRAST = 3

/** Texts, and edges of fields and buttons, whose colours are too near to what is behind them, with their contrast. */
async function faintParts(page: Page): Promise<string[]> {
  return await page.evaluate(
    ([least, leastOfEdges]) => {
      const channel = (value: number): number => {
        const part = value / 255
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
      }
      const parse = (color: string): number[] => color.match(/[\d.]+/g)?.map(Number) ?? []
      const luminance = ([red = 0, green = 0, blue = 0]: number[]): number =>
        0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue)
      const behind = (element: Element | null): number[] => {
        for (let each = element; each !== null; each = each.parentElement) {
          const color = parse(getComputedStyle(each).backgroundColor)
          if ((color[3] ?? 1) === 1) return color
        }
        return [255, 255, 255]
      }
      const contrastOf = (color: string, place: Element | null): number => {
        const [a, b] = [luminance(parse(color)), luminance(behind(place))]
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
      }
      const edges = [...document.querySelectorAll<HTMLElement>('.composer-field, .button')].flatMap((element) => {
        const contrast = contrastOf(getComputedStyle(element).borderTopColor, element.parentElement)
        return contrast >= leastOfEdges ? [] : [`edge of ${element.className} ${contrast.toFixed(2)}`]
      })
      const hints = [...document.querySelectorAll<HTMLInputElement>('[placeholder]')].flatMap((field) => {
        const contrast = contrastOf(getComputedStyle(field, '::placeholder').color, field)
        return contrast >= least ? [] : [`hint "${field.placeholder}" ${contrast.toFixed(2)}`]
      })
      const texts = [...document.querySelectorAll<HTMLElement>('body *')].flatMap((element) => {
        const text = [...element.childNodes].filter(
          (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim(),
        )
        if (text.length === 0 || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
          return []
        const contrast = contrastOf(getComputedStyle(element).color, element)
        return contrast >= least ? [] : [`${element.className} "${element.textContent}" ${contrast.toFixed(2)}`]
      })
      return [...edges, ...hints, ...texts]
    },
    [MIN_CONTRAST, MIN_EDGE_CONTRAST] as const,
  )
}

/** Distinct colours of a screenshot, counted by the browser itself. */
async function countColours(browser: Browser, png: Buffer): Promise<number> {
  const page = await browser.newPage()
  const count = await page.evaluate(
    async (source) => {
      const image = new Image()
      image.src = source
      await image.decode()
      const canvas = new OffscreenCanvas(image.width, image.height)
      const context = canvas.getContext('2d')
      if (context === null) return 0
      context.drawImage(image, 0, 0)
      const { data } = context.getImageData(0, 0, image.width, image.height)
      return new Set(new Uint32Array(data.buffer)).size
    },
    `data:image/png;base64,${png.toString('base64')}`,
  )
  await page.close()
  return count
}

describeWith('chromium', 'the page to the eye', () => {
  let server: ParleyProcess
  let browser: Browser

  beforeAll(async () => {
    server = await ParleyProcess.start({ PARLEY_SCRIPTED_RATE: '500' })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.dispose()
  })

  it.each(SCREENS)('is drawn, readable and no wider than the screen: %s', async (_name, options) => {
    const anna = await Visitor.arrive(browser, server.url, options)
    await anna.sees('Ready')
    // With the focus, the field's edge has another colour.
    await anna.page.getByRole('log').focus()
    expect(await faintParts(anna.page)).toEqual([])
    await anna.say('calculate 2+2')
    await anna.reads('4')
    await anna.sees('Ready')
    await anna.say('show markdown')
    await anna.reads('A quotation at the end')
    await anna.sees('Ready')
    await anna.say('fail')
    await anna.page.locator('.end-note', { hasText: 'The model could not answer' }).waitFor()
    for (const fold of await anna.page.locator('summary').all()) await fold.click()
    expect(await faintParts(anna.page)).toEqual([])
    const overflow = await anna.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(overflow).toBeLessThanOrEqual(0)
    expect(await countColours(browser, await anna.page.screenshot())).toBeGreaterThan(MIN_COLOURS)
    await anna.leaveContent()
  })

  it.each(['light', 'dark'] as const)('has a dialog that is readable, hints and all: %s', async (colorScheme) => {
    const anna = await Visitor.arrive(browser, server.url, { colorScheme })
    await anna.sees('Ready')
    await anna.page.getByRole('button', { name: 'App and key' }).click()
    await anna.page.getByRole('dialog').waitFor()
    expect(await faintParts(anna.page)).toEqual([])
    await anna.leaveContent()
  })

  it('is dark where the person wants it dark', async () => {
    const brightness = async (colorScheme: 'light' | 'dark'): Promise<number> => {
      const anna = await Visitor.arrive(browser, server.url, { colorScheme })
      const color = await anna.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      await anna.leave()
      return Number(color.match(/\d+/)?.[0])
    }
    expect(await brightness('light')).toBeGreaterThan(200)
    expect(await brightness('dark')).toBeLessThan(60)
  })

  it('holds still for who asked for less motion', async () => {
    const anna = await Visitor.arrive(browser, server.url, { reducedMotion: 'reduce' })
    await anna.sees('Ready')
    await anna.say('stall')
    const dots = anna.page.locator('.working i').first()
    expect(await dots.evaluate((dot) => getComputedStyle(dot).animationIterationCount)).toBe('1')
    await anna.leave()
  })

  it('opens and closes the list of conversations on a phone', async () => {
    const anna = await Visitor.arrive(browser, server.url, PHONE)
    await anna.sees('Ready')
    const menu = anna.page.getByRole('button', { name: 'Conversations' })
    const list = anna.page.getByRole('navigation', { name: 'Conversations' })
    expect(await list.isVisible()).toBe(false)
    await menu.click()
    await list.waitFor()
    expect(await menu.getAttribute('aria-expanded')).toBe('true')
    await anna.page.keyboard.press('Escape')
    await list.waitFor({ state: 'hidden' })
    expect(await menu.evaluate((element) => element === document.activeElement)).toBe(true)
    await anna.leave()
  })
})
