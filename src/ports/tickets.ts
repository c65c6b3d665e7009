/** What tickets need of the store, so that all processes on it agree. */
export interface TicketStore {
  /** The secret that signs them: the stored one, else `candidate`, which is stored. */
  signingSecret(candidate: string): Promise<string>
  /** False when it was used before, through whichever process. After `expiresAt` (milliseconds since 1970) it may be forgotten. */
  useTicket(id: string, expiresAt: number): Promise<boolean>
}
