// Whose turn it is, what is sent in one reply, and what is kept of a client.
import { describe, expect, it } from 'vitest'
import type { Reply, SessionEvent } from '../../../dist/src/grants/grant-messages.js'
import { Op, UnshareFlag } from '../../../dist/src/grants/grant-messages.js'
import { ClientSession } from '../../../dist/src/grants/worker/client-session.js'
import { ClientSessions } from '../../../dist/src/grants/worker/client-sessions.js'
import { type GrantRecord, GrantRecords } from '../../../dist/src/grants/worker/grant-records.js'
import { DomainExistsRequest } from '../../../dist/src/grants/worker/request.js'
import { startActor } from '../../setup/actor.js'
import { FakeDevice } from '../../setup/fake-device.js'

function session() {
  const events: (Reply | SessionEvent)[] = []
  return {
    events,
    session: new ClientSession(
      (event) => events.push(event),
      () => {},
    ),
  }
}

describe('a turn', () => {
  it('takes one request of each client in rotation, in their order, and no more than it may', () => {
    const sessions = new ClientSessions()
    const all = [session().session, session().session, session().session]
    for (const each of all) sessions.add(each)
    const ask = (client: number, id: number): void =>
      sessions.enqueue(new DomainExistsRequest(all[client]!, id, 7))
    for (let id = 0; id < 5; id++) ask(0, id)
    for (let id = 10; id < 12; id++) ask(2, id)
    expect(sessions.take(5).map(({ id }) => id)).toEqual([0, 10, 1, 11, 2])
    ask(1, 20)
    expect([sessions.queued, sessions.count]).toEqual([3, 3])
    expect(sessions.take(100).map(({ id }) => id)).toEqual([3, 20, 4])
    expect([sessions.take(100), sessions.queued]).toEqual([[], 0])
  })

  it('leaves out a client that is gone, whose requests are handed back', () => {
    const sessions = new ClientSessions()
    const gone = session().session
    sessions.add(gone)
    sessions.enqueue(new DomainExistsRequest(gone, 1, 7))
    expect(sessions.remove(gone).take()!.id).toBe(1)
    expect([sessions.take(10), sessions.count, sessions.remove(gone).length]).toEqual([[], 0, 0])
  })
})

describe('the answers to a client', () => {
  it('are sent together, with the memory they bring and no other', () => {
    const { events, session: client } = session()
    const memory = [new SharedArrayBuffer(8), new SharedArrayBuffer(8)]
    client.answer(1, [5], memory[0])
    client.answer(2, [], undefined)
    client.refuse(3, new Error('no'))
    expect(events).toEqual([])
    client.flush()
    client.flush()
    client.answer(4, [6], memory[1])
    client.flush()
    const replies = events.filter((event) => Array.isArray(event))
    expect(replies.map(([done]) => done)).toEqual([
      [1, 2, 0, 5, 2, 0],
      [4, 2, 0, 6],
    ])
    expect(replies.map(([, buffers]) => buffers?.map((one) => memory.indexOf(one)))).toEqual([[0], [1]])
    expect(replies.map(([, , failed]) => failed?.map(({ requestId }) => requestId))).toEqual([[3], undefined])
  })

  it('of which there are many go out before the turn is over', () => {
    const { events, session: client } = session()
    for (let id = 1; id <= 300; id++) client.answer(id, [], undefined)
    expect(events).toHaveLength(2)
    client.flush()
    expect(events).toHaveLength(3)
  })
})

describe('the records of grants', () => {
  it('keep nothing of a grant that is gone, whoever has held it', () => {
    const [owner, holder] = [session().session, session().session]
    const records = new GrantRecords()
    const record = { id: records.nextId(), pages: 3, owner, others: undefined } as GrantRecord
    records.add(record)
    records.addLease(record, holder)
    expect([records.live, records.pages, records.heldBy(holder)]).toEqual([1, 3, [record]])
    records.remove(record)
    records.remove(record)
    expect([records.live, records.pages, records.heldBy(owner), records.heldBy(holder)]).toEqual([
      0,
      0,
      [],
      [],
    ])
  })

  it('forget leases one by one, and a client when it has none left', () => {
    const [owner, holder] = [session().session, session().session]
    const records = new GrantRecords()
    const record = { id: 1, pages: 1, owner, others: undefined } as GrantRecord
    records.add(record)
    for (let i = 0; i < 2; i++) records.addLease(record, holder)
    const drops = [1, 2, 3].map(() => [records.dropLease(record, holder), records.heldBy(holder).length])
    expect(drops).toEqual([
      [true, 1],
      [true, 0],
      [false, 0],
    ])
  })

  it('never use an id again', async () => {
    const one = startActor(new FakeDevice()).client()
    const ids = new Set<number>()
    for (let i = 0; i < 5; i++) {
      const id = await one.share(7, 1)
      ids.add(id)
      one.ask(Op.unshare, id, i % 2 === 0 ? UnshareFlag.force : 0)
      await one.send()
    }
    expect(ids.size).toBe(5)
  })
})
