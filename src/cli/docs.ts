import { randomBytes } from 'node:crypto'
import { documentName, type ReadDocument, readDocument } from '../documents/read-document.ts'
import { DOCUMENT_LANGUAGES, type DocumentLanguage } from '../ports/documents.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AT_HOST } from './admin-of.ts'
import {
  actionOf,
  type CliDocuments,
  type CliIo,
  type Command,
  type OpenStore,
  printTable,
  readArgs,
  shortTime,
  UsageError,
  withStore,
} from './command.ts'
import { fileFault } from './file-fault.ts'

/** Files in one command: what one App may have. */
const MAX_FILES = 1000
/** Bytes: ids of one App that never meet. */
const ID_BYTES = 6
/** Of those who write most: its stemmer leaves most other languages' words whole. */
const DEFAULT_LANGUAGE = 'english'

const HEADING = ['ID', 'NAME', 'LANGUAGE', 'PARTS', 'CHARACTERS', 'ADDED']

type Open = OpenStore<CliDocuments>

export function docsCommand(open: Open): Command {
  const actions = { add, list, delete: remove }
  return {
    usage: ['docs add APP FILE... [--language english]', 'docs list APP', 'docs delete APP ID|NAME'],
    about: 'Documents of an App (Markdown, text, HTML, PDF), which its search_documents tool finds',
    async run([name = '', ...rest], io) {
      await actionOf(actions, name)(open, io, rest)
    },
  }
}

/** One file after the other, each whole or not at all; the first that cannot be stored ends it. */
async function add(open: Open, io: CliIo, args: readonly string[]): Promise<void> {
  const { values, positionals } = readArgs(args, { language: { type: 'string' } }, [2, MAX_FILES + 1])
  const [app = '', ...files] = positionals
  const language = toLanguage(values.language ?? DEFAULT_LANGUAGE)
  assertDifferentNames(files)
  await withStore(open, io, async (store) => {
    await assertApp(store, app)
    for (const file of files) {
      const document = await about(file, readDocument(file))
      io.out(await about(file, put(store, app, language, document)))
    }
  })
  io.out(`Running servers use ${files.length === 1 ? 'it' : 'them'} within a second`)
}

async function put(
  { documents, audit }: CliDocuments,
  app: string,
  language: DocumentLanguage,
  { name, parts }: ReadDocument,
): Promise<string> {
  const id = `d_${randomBytes(ID_BYTES).toString('hex')}`
  const row = { id, app, name, language, addedAt: Date.now() }
  const replaced = await audit.noted(AT_HOST, 'document.put', `${app} ${id}`, () => documents.putDocument(row, parts))
  const size = `${parts.length} ${parts.length === 1 ? 'part' : 'parts'}`
  return `${name} is ${replaced ? 'replaced' : 'added'}: ${size}, id ${id}`
}

async function list(open: Open, io: CliIo, args: readonly string[]): Promise<void> {
  const [app = ''] = readArgs(args, {}, 1).positionals
  await withStore(open, io, async (store) => {
    await assertApp(store, app)
    const rows = await store.documents.listDocuments(app)
    const lines = rows.map(({ id, name, language, parts, characters, addedAt }) => {
      return [id, name, language, String(parts), String(characters), shortTime(addedAt)]
    })
    printTable(io, HEADING, lines, `App ${app} has no documents`)
  })
}

async function remove(open: Open, io: CliIo, args: readonly string[]): Promise<void> {
  const [app = '', which = ''] = readArgs(args, {}, 2).positionals
  await withStore(open, io, async (store) => {
    await assertApp(store, app)
    const remove = () => store.documents.deleteDocument(app, which)
    const existed = await store.audit.noted(AT_HOST, 'document.delete', `${app} ${which}`, remove)
    if (!existed) throw new ParleyError('not_found', { message: `App ${app} has no document ${which}` })
    io.out(`${which} is deleted; running servers find it no longer within a second`)
  })
}

async function assertApp({ apps }: CliDocuments, app: string): Promise<void> {
  if ((await apps.getApp(app)) !== undefined) return
  throw new ParleyError('app_not_found', { message: `There is no stored App ${app}; parley apps put FILE stores one` })
}

/** The second of two would take the place of the first. */
function assertDifferentNames(files: readonly string[]): void {
  const names = new Set<string>()
  for (const file of files) {
    const name = documentName(file)
    if (names.has(name)) throw new UsageError(`two of the files are named ${name}`)
    names.add(name)
  }
}

function toLanguage(word: string): DocumentLanguage {
  const language = DOCUMENT_LANGUAGES.find((known) => known === word)
  if (language === undefined) throw new UsageError(`--language is one of ${DOCUMENT_LANGUAGES.join(', ')}`)
  return language
}

/** What goes wrong with a file is said with its name. */
async function about<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    throw fileFault(file, thrown)
  }
}
