import type { Administration } from '../../src/http/admin/enter.ts'

async function notHere(): Promise<never> {
  throw new Error('nobody administers here')
}

/** For those who look at the routes only. */
export const NO_ADMINISTRATION: Administration = {
  door: { enter: notHere },
  admin: {
    acts: notHere,
    accounts: notHere,
    account: notHere,
    setPlan: notHere,
    apps: notHere,
    app: notHere,
    putApp: notHere,
    deleteApp: notHere,
    keys: notHere,
    createKey: notHere,
    rotateKey: notHere,
    revokeKey: notHere,
  },
  sessions: { sessions: notHere, session: notHere, deleteSession: notHere, exportSession: notHere, usage: notHere },
}
