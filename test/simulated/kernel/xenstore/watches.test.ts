import { describe, expect, it } from 'vitest'
import { TestStore, Type } from './support.js'

const OK = 'OK\0'

function setUp() {
  const store = new TestStore()
  const [program, watcher] = [store.program(), store.program()]
  program.write('/a/b/c', 'x')
  return { store, program, watcher }
}

describe('a watch', () => {
  it('fires once when it is set, after the reply, with the path as it was given', () => {
    const { watcher } = setUp()
    const request = (payload: string) => ({
      type: Type.watch,
      requestId: 1,
      transactionId: 0,
      payload: Buffer.from(payload),
    })
    const { daemon } = setUp().store
    const connection = daemon.connect(undefined, { filled() {}, hangUp() {} })
    daemon.receive(connection, request('/a\0t\0'))
    const bytes = connection.outbox.take()
    expect([bytes.readUInt32LE(0), bytes.readUInt32LE(19)]).toEqual([Type.watch, Type.watchEvent])
    expect(watcher.watch('/nothing/there')).toBe(OK)
    expect(watcher.watch('relative/path', 'r')).toBe(OK)
    expect(watcher.events()).toEqual(['/nothing/there t', 'relative/path r'])
  })

  it('fires for changes of the node and of what is below, not for others that begin alike', () => {
    const { program, watcher } = setUp()
    watcher.watch('/a/b')
    watcher.events()
    program.write('/a/b', 'x')
    program.write('/a/b', 'x')
    expect(watcher.events()).toEqual(['/a/b t'])
    program.write('/a/b/d/e')
    program.mkdir('/a/b/f')
    program.allow('/a/b/c', 'r0')
    expect(watcher.events()).toEqual(['/a/b/d/e t', '/a/b/f t', '/a/b/c t'])
    program.mkdir('/a/b/f')
    program.remove('/a/b/nothing')
    program.write('/a/bc')
    program.write('/a')
    expect(watcher.events()).toEqual([])
  })

  it('fires once for a removed tree: with the root for those above it, with its own path below', () => {
    const { program, watcher } = setUp()
    for (const path of ['/', '/a', '/a/b', '/a/b/c', '/a/b/c/d']) watcher.watch(path, path)
    watcher.events()
    program.remove('/a/b')
    expect(watcher.events().sort()).toEqual(['/a/b /', '/a/b /a', '/a/b /a/b', '/a/b/c /a/b/c'])
  })

  it('with a relative path is told relative paths', () => {
    const { program, watcher } = setUp()
    watcher.watch('data')
    watcher.watch('/local/domain/0/data', 'absolute')
    watcher.events()
    program.write('/local/domain/0/data/x')
    expect(watcher.events()).toEqual(['data/x t', '/local/domain/0/data/x absolute'])
  })

  it('is told before the reply to what has caused it', () => {
    const { watcher } = setUp()
    watcher.watch('/a')
    watcher.events()
    const { connection } = watcher
    const { daemon } = setUp().store
    const other = daemon.connect(undefined, { filled() {}, hangUp() {} })
    const send = (type: number, payload: string) =>
      daemon.receive(other, { type, requestId: 1, transactionId: 0, payload: Buffer.from(payload) })
    send(Type.watch, '/a\0t\0')
    other.outbox.take()
    send(Type.write, '/a\0x')
    expect(other.outbox.take().readUInt32LE(0)).toBe(Type.watchEvent)
    expect(connection.outbox.bytes).toBe(0)
  })

  it('is refused when it is there already, and can be removed once', () => {
    const { watcher } = setUp()
    expect([watcher.watch('rel'), watcher.watch('rel'), watcher.watch('rel', 'u')]).toEqual([
      OK,
      'EEXIST',
      OK,
    ])
    expect(watcher.watch('/local/domain/0/rel')).toBe('EEXIST')
    expect([watcher.unwatch('/local/domain/0/rel'), watcher.unwatch('rel')]).toEqual([OK, 'ENOENT'])
    expect(watcher.unwatch('rel', 'u')).toBe(OK)
  })

  it.each([
    ['/a\0', 'EINVAL'],
    ['/a\0t', 'EINVAL'],
    ['/a\0t\0x', OK],
    ['/a\0t\x001\0', 'EINVAL'],
    ['/a/\0t\0', 'EINVAL'],
    ['@anything at all\0t\0', OK],
    [`@${'l'.repeat(2047)}\0t\0`, OK],
    [`@${'l'.repeat(2048)}\0t\0`, 'EINVAL'],
    ['/a\0\0', OK],
  ])('%j', (payload, answer) => {
    expect(setUp().watcher.ask(Type.watch, payload)).toBe(answer)
  })

  it('has an event that waits already only once, others all', () => {
    const { program, watcher } = setUp()
    watcher.watch('/a')
    watcher.events()
    for (let i = 0; i < 10; i++) for (const path of ['/a', '/a/b', '/a/c']) program.write(path, `${i}`)
    expect(watcher.events()).toEqual(['/a t', '/a/b t', '/a/c t'])
  })

  it('ends with its connection', () => {
    const { store, program, watcher } = setUp()
    watcher.watch('/a')
    watcher.events()
    watcher.close()
    program.write('/a')
    expect(store.daemon.count()).toEqual({ connections: 1, watches: 0, transactions: 0 })
    expect(watcher.events()).toEqual([])
  })
})

describe('a watch of a guest', () => {
  it('is told as long as it may read the node or its parent, and when it loses that', () => {
    const { store, program } = setUp()
    const guest = store.guest(5)
    expect(guest.watch('/a/b')).toBe(OK)
    expect(guest.events()).toEqual(['/a/b t'])
    program.write('/a/b', '1')
    expect(guest.events()).toEqual([])
    program.allow('/a/b', 'n0', 'r5')
    program.write('/a/b', '2')
    expect(guest.events()).toEqual(['/a/b t'])
    program.allow('/a/b', 'n0')
    expect(guest.events()).toEqual(['/a/b t'])
    program.write('/a/b', '3')
    expect(guest.events()).toEqual([])
    program.allow('/a', 'n0', 'r5')
    guest.events()
    program.write('/a/b', '4')
    expect(guest.events()).toEqual(['/a/b t'])
  })

  it('is told of the end of a node that it could read', () => {
    const { store, program } = setUp()
    const guest = store.guest(5)
    program.allow('/a/b', 'n0', 'r5')
    guest.watch('/a/b')
    guest.watch('/a/b/c', 'hidden')
    program.write('/a/d')
    program.allow('/a/d', 'n6')
    guest.watch('/a/d', 'stranger')
    guest.events()
    program.remove('/a')
    // The parent of /a/b/c is /a/b.
    expect(guest.events().sort()).toEqual(['/a/b t', '/a/b/c hidden'])
  })

  it('on a special event needs the permission of domain 0', () => {
    const { store, program } = setUp()
    const guest = store.guest(5)
    expect(guest.watch('@introduceDomain')).toBe(OK)
    program.watch('@introduceDomain')
    expect(guest.events()).toEqual(['@introduceDomain t'])
    program.events()
    store.guest(6)
    expect([guest.events(), program.events()]).toEqual([[], ['@introduceDomain t']])
    expect(guest.allow('@introduceDomain', 'n0', 'r5')).toBe('EACCES')
    expect(program.allow('@introduceDomain', 'n0', 'r5')).toBe(OK)
    store.guest(7)
    expect(guest.events()).toEqual(['@introduceDomain t'])
    expect(program.allow('@somethingElse', 'n0')).toBe('EINVAL')
  })
})
