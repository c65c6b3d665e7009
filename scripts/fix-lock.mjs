// Completes package-lock.json, and that of bench/peers, after `npm install`.
//
// A registry may not serve every platform's variant of an optional binary package. npm then leaves the variant out of the
// lock file, and `npm ci` refuses it ("Missing: … from lock file"). A stub entry (version, os, cpu, optional) is enough:
// npm skips it on other platforms and keeps it through later installs. Also drops addresses, so that the file names no host.
//
// usage: node scripts/fix-lock.mjs [--check]

import { readFileSync, writeFileSync } from 'node:fs'

const LOCKS = ['package-lock.json', 'bench/peers/package-lock.json']
const PREFIX = 'node_modules/'
/** `@uwsjs/linux-x64-20`: operating system, processor, Node's major version. */
const VARIANT = /(?<os>linux|darwin|win32)-(?<cpu>x64|arm64|arm)(?:-\d+)?$/
/** Packages whose variants may be stubbed; anything else that is missing is a fault to look at. */
const STUBBED_SCOPE = '@uwsjs/'

for (const name of LOCKS) complete(name, new URL(`../${name}`, import.meta.url))

function complete(name, file) {
  const before = readFileSync(file, 'utf8')
  const lock = JSON.parse(before)
  const unknown = []

  for (const [path, entry] of Object.entries(lock.packages)) {
    // npm's own `resolved` of a registry package is a URL; a `link` entry's is a folder of this project.
    if (!entry.link) delete entry.resolved
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (lock.packages[PREFIX + name] || lock.packages[`${path}/${PREFIX}${name}`]) continue
      const variant = VARIANT.exec(name)?.groups
      if (!name.startsWith(STUBBED_SCOPE) || variant === undefined) unknown.push(`${name} (of ${path})`)
      else lock.packages[PREFIX + name] = { version, optional: true, os: [variant.os], cpu: [variant.cpu] }
    }
    // What is in a bundle is covered by the integrity of the package that brings it.
    if (path && !entry.integrity && !entry.link && !entry.inBundle && !path.startsWith(PREFIX + STUBBED_SCOPE))
      unknown.push(`${path} has no integrity`)
  }

  // npm writes the entries in this order; keeping it makes later diffs small.
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
  const after = `${JSON.stringify(lock, null, 2)}\n`

  if (unknown.length > 0) {
    console.error(`${name}: no remedy known for\n  ${unknown.join('\n  ')}`)
    process.exitCode = 1
  } else if (after === before) {
    console.log(`${name} is complete`)
  } else if (process.argv.includes('--check')) {
    console.error(`${name} is incomplete: run \`node scripts/fix-lock.mjs\``)
    process.exitCode = 1
  } else {
    writeFileSync(file, after)
    console.log(`${name} completed`)
  }
}
