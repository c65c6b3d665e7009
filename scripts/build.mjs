// Builds dist/: the server, the command, and what the browser loads. `npm start` runs it, so it has to stay quick.
//
//   src/main.ts             -> dist/main.js            npm packages stay imports, only our own files are joined
//   src/cli/main.ts         -> dist/cli.js             executable
//   src/storage/migrations  -> dist/migrations         found by `new URL('./migrations/', import.meta.url)`, as in src/
//   src/documents/pdf-worker.mjs -> dist/pdf-worker.mjs   found likewise, as a thread's own file
//   src/access/proof-worker.mjs  -> dist/proof-worker.mjs
//   src/tools/builtin/math-worker.mjs -> dist/math-worker.mjs
//   clients/page, widget    -> dist/public             page.js (a module), page.css, widget.js (a classic script), html
//
// `node scripts/build.mjs FOLDER` builds into another one.
//
// An entry that is not in the tree is named and left out; an entry that is there and does not build fails the build.

import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const DIST = process.argv[2] === undefined ? 'dist' : resolve(process.argv[2])
process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const PUBLIC = join(DIST, 'public')
const CLI = join(DIST, 'cli.js')
const WORKERS = ['src/documents/pdf-worker.mjs', 'src/access/proof-worker.mjs', 'src/tools/builtin/math-worker.mjs']
const WIDGET_CSS = 'clients/widget/widget.css'
/** What a page may load beside its scripts. */
const STATIC = new Set(['.html', '.ico', '.png', '.svg', '.webmanifest'])

const node = { platform: 'node', target: 'node20', format: 'esm', packages: 'external', sourcemap: true }
// Licence texts of bundled libraries go to a file of their own beside the script.
const browser = { platform: 'browser', target: 'es2022', minify: true, sourcemap: true, legalComments: 'linked' }

const entries = [
  { from: 'src/main.ts', to: join(DIST, 'main.js'), options: node },
  { from: 'src/cli/main.ts', to: CLI, options: { ...node, banner: { js: '#!/usr/bin/env node' } } },
  { from: 'clients/page/main.ts', to: join(PUBLIC, 'page.js'), options: { ...browser, format: 'esm' } },
  { from: 'clients/page/page.css', to: join(PUBLIC, 'page.css'), options: browser },
  {
    from: 'clients/widget/embed.ts',
    to: join(PUBLIC, 'widget.js'),
    options: {
      ...browser,
      format: 'iife',
      define: { WIDGET_CSS: JSON.stringify(withOwnRem(await bundleCss(WIDGET_CSS))) },
    },
  },
]

/** A style sheet with its imports, as text: the widget is one file, styles and all. */
async function bundleCss(from) {
  if (!existsSync(from)) return ''
  const { outputFiles } = await build({ entryPoints: [from], bundle: true, minify: true, write: false })
  return outputFiles[0].text
}

/** `rem` is the size of the page that the widget is on: it has one of its own. In the query of a `@media` it is the browser's. */
function withOwnRem(css) {
  return css.replace(/@media[^{]*|(-?[\d.]+)rem\b/g, (all, size) =>
    size === undefined ? all : `calc(${size} * var(--rem))`,
  )
}

/** Copies a folder's pages and styles, not its sources. */
function copyStatic(folder) {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) if (STATIC.has(extname(name))) cpSync(join(folder, name), join(PUBLIC, name))
}

const started = performance.now()
const missing = entries.filter((entry) => !existsSync(entry.from))
const present = entries.filter((entry) => existsSync(entry.from))

rmSync(DIST, { recursive: true, force: true })
mkdirSync(PUBLIC, { recursive: true })
try {
  await Promise.all(
    present.map((entry) =>
      build({ entryPoints: [entry.from], outfile: entry.to, bundle: true, logLevel: 'warning', ...entry.options }),
    ),
  )
} catch {
  // esbuild has printed where and why; its exception would only say it again.
  console.error('build failed')
  process.exit(1)
}
if (existsSync(CLI)) chmodSync(CLI, 0o755)
if (existsSync('src/storage/migrations'))
  cpSync('src/storage/migrations', join(DIST, 'migrations'), { recursive: true })
for (const worker of WORKERS) if (existsSync(worker)) cpSync(worker, join(DIST, basename(worker)))
copyStatic('clients/page')

for (const entry of missing) console.log(`left out of the build: ${entry.from} is not there`)
console.log(`built ${DIST}/ in ${Math.round(performance.now() - started)} ms`)
