import { describe, expect, it } from 'vitest'
import type { MessageTail, SessionWrite } from '../../src/ports/store.ts'
import { message, run, session } from './store-rows.ts'
import { type MakeStore, openSubject, refusal, SOON } from './store-subject.ts'

/** What checkpoints add to a growing answer. */
export function tailRules(make: MakeStore): void {
  describe('tails', () => {
    const { store, other } = openSubject(make)

    /** A run of this process that has said `Fine 🦜`: six characters, seven units. */
    const running = async () => {
      const row = session({ status: 'processing' })
      const active = run(row.id, 'r1', { status: 'running', position: 1, node: store().node })
      const answer = message(active, 1, { role: 'assistant', content: 'Fine 🦜' })
      const write = {
        sessionId: row.id,
        session: row,
        runs: [active],
        messages: [message(active, 0), answer],
      } satisfies SessionWrite
      await store().commit(write, SOON)
      const tail = (from: number, text: string): MessageTail => ({ id: answer.id, runId: active.id, from, text })
      const add = (...tails: MessageTail[]) => store().commit({ sessionId: row.id, tails }, SOON)
      const said = async (from = store()) =>
        (await from.history(row.id, { maxMessages: 9, maxBytes: 9999 })).messages.at(-1)?.content
      return { row, active, answer, tail, add, said }
    }

    it('I3: follow what is stored, counted in characters, for every process', async () => {
      const { add, tail, said } = await running()
      await add(tail(6, ' thanks'))
      await add(tail(13, ', and'))
      expect(await said()).toBe('Fine 🦜 thanks, and')
      expect(await said(other().store)).toBe('Fine 🦜 thanks, and')
    })

    it('change nothing when they are given again, and give way to a longer one from the same place', async () => {
      const { add, tail, said } = await running()
      await add(tail(6, ' one'))
      await add(tail(6, ' one'))
      expect(await said()).toBe('Fine 🦜 one')
      await add(tail(6, ' one two'))
      expect(await said()).toBe('Fine 🦜 one two')
    })

    it('are not said again once the message is written whole, whatever meets in one moment', async () => {
      const { row, answer, add, tail, said } = await running()
      const whole = { ...answer, content: 'Fine 🦜 one two' }
      await Promise.all([
        add(tail(6, ' one')),
        store().commit({ sessionId: row.id, messages: [whole] }, SOON),
        add(tail(14, ' three')),
      ])
      expect(await said()).toBe('Fine 🦜 one two three')
    })

    it('go with the end of their run, whose messages are whole', async () => {
      const { row, active, answer, add, tail, said } = await running()
      await add(tail(6, ' one'))
      const whole = { ...answer, content: 'Fine 🦜 one two' }
      const ended = { ...active, status: 'finished' as const }
      await store().commit({ sessionId: row.id, runs: [ended], messages: [whole] }, SOON)
      expect(await said()).toBe('Fine 🦜 one two')
      await expect(add(tail(14, ' late'))).rejects.toMatchObject(refusal('conflict'))
      expect(await said()).toBe('Fine 🦜 one two')
    })

    it('of a message that is not there are nothing', async () => {
      const { add, tail, said } = await running()
      await add({ ...tail(0, 'lost'), id: 'unknown' })
      expect(await said()).toBe('Fine 🦜')
    })

    it('I1: of a run of another process are refused', async () => {
      const { row, tail, said } = await running()
      const theirs = { sessionId: row.id, tails: [tail(6, ' not mine')] }
      await expect(other().store.commit(theirs, SOON)).rejects.toMatchObject(refusal('conflict'))
      expect(await said()).toBe('Fine 🦜')
    })

    it('leave with their session', async () => {
      const { row, active, answer, add, tail, said } = await running()
      await add(tail(6, ' secret'))
      await store().delete(row.id)
      await store().commit({ sessionId: row.id, session: row, runs: [active], messages: [answer] }, SOON)
      expect(await said()).toBe('Fine 🦜')
    })
  })
}
