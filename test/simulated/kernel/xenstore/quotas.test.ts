import { describe, expect, it } from 'vitest'
import { type TestClient, TestStore, Type } from './support.js'

const OK = 'OK\0'

function setUp() {
  const store = new TestStore()
  const program = store.program()
  const guest = store.guest(5)
  program.write('/local/domain/5/data')
  program.allow('/local/domain/5/data', 'n5')
  return { store, program, guest }
}

/** How often it can be done. @returns that, and the first answer that was none */
function until(act: (i: number) => string, most: number): [times: number, answer: string] {
  for (let i = 0; i < most; i++) {
    const answer = act(i)
    if (answer !== OK && !/^\d+\0$/.test(answer)) return [i, answer]
  }
  return [most, OK]
}

describe('what a guest may have, and domain 0 without a limit', () => {
  it('1000 nodes, of which data is one', () => {
    const { program, guest } = setUp()
    const create = (client: TestClient, folder: string) => (i: number) => client.write(`${folder}/${i}`)
    // In folders: the names of one would make it too large.
    const spread = (i: number) => (i % 100 === 0 ? `data/f${i / 100}` : `data/f${Math.floor(i / 100)}/n${i}`)
    expect(until((i) => guest.mkdir(spread(i)), 1200)).toEqual([999, 'ENOSPC'])
    expect(until(create(program, '/many'), 1200)).toEqual([1200, OK])
    guest.remove('data/f0')
    expect(guest.write('data/again')).toBe(OK)
  })

  it('none of a chain of new nodes if the last is one too many', () => {
    const { program, guest } = setUp()
    program.ask(Type.control, 'quota\0set\0nodes\x003\0')
    expect(guest.write('data/a/b/c')).toBe('ENOSPC')
    expect([guest.list('data'), guest.read('data/a')]).toEqual([[], 'ENOENT'])
    expect(guest.write('data/a/b')).toBe(OK)
    expect(guest.write('data/a/c')).toBe('ENOSPC')
    expect(guest.list('data/a')).toEqual(['b'])
  })

  it('129 watches', () => {
    const { program, guest } = setUp()
    expect(until((i) => guest.watch('data', `${i}`), 200)).toEqual([129, 'E2BIG'])
    expect(until((i) => program.watch('data', `${i}`), 200)).toEqual([200, OK])
    guest.unwatch('data', '0')
    expect(guest.watch('data', 'again')).toBe(OK)
  })

  it('11 transactions, over all its connections', () => {
    const { store, program, guest } = setUp()
    const begin = (client: TestClient) => () => client.ask(Type.transactionStart, '\0')
    const other = store.ring(5)
    expect(until(begin(other), 5)).toEqual([5, OK])
    expect(until(begin(guest), 20)).toEqual([6, 'ENOSPC'])
    expect(until(begin(program), 20)).toEqual([20, OK])
    other.close()
    expect(until(begin(guest), 20)).toEqual([5, 'ENOSPC'])
  })

  it('2047 bytes in a node, with its permissions and the names of its children', () => {
    const { program, guest } = setUp()
    expect(guest.write('data', 'x'.repeat(2015))).toBe(OK)
    expect(guest.write('data', 'x'.repeat(2016))).toBe('ENOSPC')
    expect(guest.write('data/1')).toBe('ENOSPC')
    expect(guest.allow('data', 'n5', 'r0')).toBe('ENOSPC')
    expect(guest.read('data')).toHaveLength(2015)
    expect(guest.permissions('data')).toBe('n5\0')
    guest.write('data', 'x'.repeat(2013))
    expect([guest.write('data/1'), guest.write('data/2')]).toEqual([OK, 'ENOSPC'])
    expect(program.write('/a', 'x'.repeat(4093))).toBe(OK)
  })

  it('1024 nodes touched in a transaction, which fails after that', () => {
    const { program, guest } = setUp()
    guest.begin()
    // Each is absent, and so are the parents that are looked at once.
    expect(until((i) => (guest.read(`data/${i}`) === 'ENOENT' ? OK : 'other'), 2000)).toEqual([1023, 'other'])
    expect(guest.read('data/last')).toBe('ENOSPC')
    expect(guest.commit()).toBe('ENOMEM')
    program.begin()
    expect(until((i) => (program.read(`/tool/${i}`) === 'ENOENT' ? OK : 'other'), 2000)).toEqual([2000, OK])
    expect(program.commit()).toBe(OK)
  })

  it('no more than a node too large in a transaction that can be committed', () => {
    const { guest } = setUp()
    guest.begin()
    expect(guest.write('data/a', 'x')).toBe(OK)
    expect(guest.write('data/b', 'x'.repeat(3000))).toBe('ENOSPC')
    expect(guest.commit()).toBe('ENOMEM')
    expect(guest.list('data')).toEqual([])
  })

  it('and the nodes of a transaction count when it is committed', () => {
    const { program, guest } = setUp()
    program.ask(Type.control, 'quota\0set\0nodes\x005\0')
    guest.begin()
    for (const name of ['a', 'b', 'c']) expect(guest.write(`data/${name}`)).toBe(OK)
    expect(guest.commit()).toBe(OK)
    guest.begin()
    expect(guest.write('data/d')).toBe(OK)
    expect(guest.commit()).toBe('ENOSPC')
  })

  it('so many bytes that wait for it: later events are lost', () => {
    const { program, guest } = setUp()
    const path = `data/${'l'.repeat(1900)}`
    guest.watch('data')
    for (let i = 0; i < 2000; i++) program.write(`/local/domain/5/${path}${i}`)
    const waiting = guest.connection.outbox.bytes
    expect(waiting).toBeGreaterThan(2_400_000)
    expect(waiting).toBeLessThan(2.5 * 1024 * 1024)
    guest.events()
    program.write(`/local/domain/5/${path}`)
    expect(guest.events()).toEqual([`${path} t`])
  })
})
