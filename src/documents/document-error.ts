/** A file that cannot become a document; the message says why, for people. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
}
