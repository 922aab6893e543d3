import { describe, expect, it } from 'vitest'
import { encodeMessage } from '../../../../dist/src/drivers/xenbus/wire.js'
import { RawStoreClient } from '../../../agreement/xenstore-client.mjs'
import { withXen } from '../../support.js'
import { TestStore, Type } from './support.js'

const OK = 'OK\0'

function setUp() {
  const store = new TestStore('ocaml')
  const [one, two] = [store.program(), store.program()]
  one.write('/a', 'before')
  one.write('/dir/child', 'x')
  return { store, one, two, guest: store.guest(5) }
}

// Each of them was observed on oxenstored 4.17.
describe('with the rules of oxenstored', () => {
  it('lists are in alphabetical order, and go to programs whole however long they are', () => {
    const { one, guest } = setUp()
    for (const name of ['b', 'a', 'B', 'a1', 'a-']) one.write(`/sorted/${name}`)
    expect(one.list('/sorted')).toEqual(['B', 'a', 'a-', 'a1', 'b'])
    for (let i = 0; i < 1000; i++) one.write(`/sorted/child-${i}`)
    expect(one.list('/sorted')).toHaveLength(1005)
    expect(one.ask(Type.directoryPart, '/sorted\x000\0')).toBe('ENOSYS')
    one.allow('/sorted', 'r0')
    expect(guest.ask(Type.directory, '/sorted\0')).toBe('E2BIG')
  })

  it('events come after the reply, and each of them', () => {
    const { one, two } = setUp()
    one.watch('/a')
    one.order()
    const send = (type: number, payload: string) => one.ask(type, payload)
    two.watch('/a')
    two.events()
    send(Type.write, '/a\x001')
    send(Type.write, '/a\x002')
    expect(two.events()).toEqual(['/a t', '/a t'])
  })

  it.each([
    ['read, changed outside, something written', ['read /a', 'write /b', '| write /a'], 'EAGAIN'],
    ['read, changed outside, only read', ['read /a', '| write /a'], OK],
    ['overwritten without reading, changed outside', ['write /a', '| write /a'], OK],
    ['absent, created outside', ['read /none', 'write /b', '| write /none'], 'EAGAIN'],
    ['listed, child added outside', ['list /dir', 'write /b', '| write /dir/other'], 'EAGAIN'],
    ['both create a child of one node', ['write /dir/one', '| write /dir/two'], OK],
    ['something else changes', ['read /a', 'write /b', '| write /dir/child'], OK],
  ] as const)('a transaction: %s', (_what, steps, answer) => {
    const { one, two } = setUp()
    one.begin()
    for (const step of steps) {
      const outside = step.startsWith('| ')
      const [act, path] = (outside ? step.slice(2) : step).split(' ') as ['read' | 'write', string]
      ;(outside ? two : one)[act](path, outside ? 'theirs' : 'mine')
    }
    expect(one.commit()).toBe(answer)
    if (answer === OK) for (const step of steps) if (step === 'write /a') expect(two.read('/a')).toBe('mine')
  })

  it('a transaction reads everything as it was when it began', () => {
    const { one, two } = setUp()
    one.begin()
    two.write('/a', 'outside')
    expect(one.read('/a')).toBe('before')
    expect(one.commit()).toBe(OK)
    expect(one.ask(Type.read, '/a\0', 1)).toBe('EIO')
  })

  it('a transaction has no more than 1024 requests', () => {
    const { guest } = setUp()
    guest.begin()
    for (let i = 0; i < 1024; i++) expect(guest.read('/nothing')).toBe('ENOENT')
    expect(guest.read('/nothing')).toBe('EQUOTA')
  })

  it('what is too much is EQUOTA, and a value of more than 2048 bytes E2BIG for domain 0 too', () => {
    const { one, guest } = setUp()
    one.allow('/dir', 'n5')
    expect([one.write('/v', 'x'.repeat(2048)), one.write('/v', 'x'.repeat(2049))]).toEqual([OK, 'E2BIG'])
    let nodes = 0
    while (guest.mkdir(`/dir/${nodes}`) === OK) nodes++
    expect(guest.mkdir('/dir/more')).toBe('EQUOTA')
    let watches = 0
    while (guest.watch('/dir', `${watches}`) === OK) watches++
    expect(guest.watch('/dir', 'more')).toBe('EQUOTA')
    let transactions = 0
    while (guest.ask(Type.transactionStart, '\0').endsWith('\0')) transactions++
    expect([nodes, watches, transactions]).toEqual([999, 101, 11])
  })

  it.each([
    [`/${'l'.repeat(1023)}`, OK],
    [`/${'l'.repeat(1024)}`, 'EINVAL'],
    [`/local/domain/5/${'l'.repeat(1024)}`, OK],
  ])('the path %s', (path, answer) => {
    expect(setUp().one.mkdir(path)).toBe(answer)
  })

  it('removing the root removes everything', () => {
    const { one } = setUp()
    one.watch('/dir/child')
    one.events()
    expect(one.remove('/')).toBe(OK)
    expect(one.list('/')).toEqual([])
    expect(one.events()).toEqual(['/dir/child t'])
  })

  it('WATCH and UNWATCH are answered outside of transactions, and end with the second NUL', () => {
    const { store, one } = setUp()
    const { connection } = one
    store.daemon.receive(connection, {
      type: Type.watch,
      requestId: 1,
      transactionId: 7,
      payload: Buffer.from('/a\0t\0'),
    })
    expect(connection.outbox.take().readUInt32LE(8)).toBe(0)
    expect(one.ask(Type.watch, '/a\0u\0x')).toBe('EINVAL')
  })

  it('a node belongs to the owner of its parent, whoever creates it', () => {
    const { one, guest } = setUp()
    one.allow('/dir', 'n6', 'b5')
    expect(guest.mkdir('/dir/new')).toBe(OK)
    expect(one.permissions('/dir/new')).toBe('n6\0b5\0')
  })

  it('what is absent is ENOENT for everybody, and permissions may name anybody', () => {
    const { one, guest } = setUp()
    expect([guest.read('/dir'), guest.read('/dir/none')]).toEqual(['EACCES', 'ENOENT'])
    expect(one.allow('/a', 'n77', 'r78')).toBe(OK)
  })

  it('what a dead domain owned goes without an event', () => {
    const { store, one } = setUp()
    one.allow('/dir', 'n5')
    one.allow('/a', 'n0', 'r5')
    one.watch('/dir')
    one.watch('@releaseDomain')
    one.events()
    store.destroy(5)
    expect(one.events()).toEqual(['@releaseDomain t'])
    expect([one.read('/dir'), one.permissions('/a')]).toEqual(['ENOENT', 'n0\0'])
  })

  it('a request without a payload is answered when more bytes come', () =>
    withXen({ xenstored: 'ocaml' }, async (xen) => {
      const client = await RawStoreClient.open(xen.xenstorePath)
      const other = await RawStoreClient.open(xen.xenstorePath)
      const request = (requestId: number, payload: string) =>
        encodeMessage({ type: Type.read, requestId, transactionId: 0, payload: Buffer.from(payload) })
      client.write(request(1, ''))
      await other.settle()
      client.write(request(2, '/\0'))
      expect([await client.reply(), await client.reply()]).toMatchObject([
        { requestId: 1, payload: 'EINVAL\0' },
        { requestId: 2, payload: '' },
      ])
      for (const one of [client, other]) await one.close()
    }))
})
