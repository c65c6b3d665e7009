import { createServer, connect as dial } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { PATIENCE, Pool } from '../../src/storage/connection.ts'
import { Health } from '../../src/storage/health.ts'
import { listen } from '../support/listen.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { placeOf } from './place.ts'
import { Recorder } from './recorder.ts'

/** Type of a message that holds a row. */
const DATA_ROW = 'D'.charCodeAt(0)

/** Bytes up to the end of the first row, if there is one. */
function endOfFirstRow(bytes: Buffer): number | undefined {
  for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    if (bytes[at] === DATA_ROW) return at + 1 + bytes.readInt32BE(at + 1)
  }
  return undefined
}

it('I2: after an answer that was cut behind its first row, the next answer has all of its rows', async () => {
  const database = await createTestDatabase()
  const { target, through } = placeOf(database.connection)
  let cutting = false
  const proxy = createServer((client) => {
    const server = dial(target)
    client.pipe(server)
    server.on('data', (bytes: Buffer) => {
      const end = cutting ? endOfFirstRow(bytes) : undefined
      if (end === undefined) return void client.write(bytes)
      cutting = false
      client.end(bytes.subarray(0, end))
      server.destroy()
    })
    for (const socket of [client, server]) socket.on('error', () => undefined)
    client.on('close', () => server.destroy())
  })
  const port = await listen(proxy)
  const health = new Health(new Recorder()).reads
  const pool = new Pool({ connection: { url: through(port) }, max: 1, patience: PATIENCE, health })
  onTestFinished(async () => {
    await pool.close()
    proxy.close()
    await database.drop()
  })
  const read = () => pool.query((sql) => sql<{ n: number }[]>`select n from generate_series(1, 3) n`)
  expect(await read()).toHaveLength(3)
  cutting = true
  await expect(read()).rejects.toMatchObject({ code: 'store_unavailable' })
  const rows = await read()
  expect(rows[0]).toEqual({ n: 1 })
  expect([...rows]).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
})

it('I7: an answer leaves the query that brought it: the driver keeps that longer than anybody needs', async () => {
  const database = await createTestDatabase()
  const pool = new Pool({
    connection: database.connection,
    max: 1,
    patience: PATIENCE,
    health: new Health(new Recorder()).reads,
  })
  onTestFinished(async () => {
    await pool.close()
    await database.drop()
  })
  const asked: PromiseLike<readonly { n: number }[]>[] = []
  const rows = await pool.query((sql) => {
    const query = sql<{ n: number }[]>`select n from generate_series(1, 3) n`
    asked.push(query)
    return query
  })
  expect(rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  expect(await asked[0]).toHaveLength(0)
})
