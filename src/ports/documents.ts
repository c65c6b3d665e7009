/** Name of the tool that Apps with documents have. */
export const SEARCH_DOCUMENTS = 'search_documents'

/** Postgres' own text search configurations whose stemmers a document may name; `simple` takes words as they are. */
export const DOCUMENT_LANGUAGES = [
  'simple',
  'arabic',
  'armenian',
  'basque',
  'catalan',
  'danish',
  'dutch',
  'english',
  'finnish',
  'french',
  'german',
  'greek',
  'hindi',
  'hungarian',
  'indonesian',
  'irish',
  'italian',
  'lithuanian',
  'nepali',
  'norwegian',
  'portuguese',
  'romanian',
  'russian',
  'serbian',
  'spanish',
  'swedish',
  'tamil',
  'turkish',
  'yiddish',
] as const
export type DocumentLanguage = (typeof DOCUMENT_LANGUAGES)[number]

/** A document of an App. Names are unique in an App. */
export type DocumentRow = {
  readonly id: string
  readonly app: string
  /** The file's name, shown as the source of what is found. */
  readonly name: string
  readonly language: DocumentLanguage
  /** Milliseconds since 1970. */
  readonly addedAt: number
}

/** A piece of a document that is found and read as a whole. */
export type DocumentPart = {
  /** Headings above it, `Returns > How long`; a page of a PDF; empty where there are none. */
  readonly heading: string
  readonly text: string
}

export type StoredDocument = DocumentRow & { readonly parts: number; readonly characters: number }

/** A part that was found, with its source. `part` counts from 1 to `parts`. */
export type FoundPart = DocumentPart & {
  readonly document: string
  readonly part: number
  readonly parts: number
}

/** What `search_documents` asks for. */
export interface DocumentSearch {
  /** The best parts first, of this App's documents only. The words are anyone's; none of them is an error. */
  searchDocuments(app: string, words: string, limit: number): Promise<readonly FoundPart[]>
}

/** The documents of Apps. Methods reject with ParleyError `store_unavailable` when the store is away. */
export interface DocumentStore extends DocumentSearch {
  /**
   * Stores a document with its parts, in the place of the App's document of the same name: in one transaction. True when there
   * was one. Rejects with `app_not_found`, or with `invalid_value` where the App has as many documents or parts as it may.
   */
  putDocument(row: DocumentRow, parts: readonly DocumentPart[]): Promise<boolean>
  /** By name. */
  listDocuments(app: string): Promise<readonly StoredDocument[]>
  /** By its id or, where no document of the App has that id, its name. False when there is none. */
  deleteDocument(app: string, idOrName: string): Promise<boolean>
}
