import { describe, expect, it } from 'vitest'
import { TestStore, Type } from './support.js'

const OK = 'OK\0'

function setUp() {
  const store = new TestStore()
  const [one, two] = [store.program(), store.program()]
  one.write('/a', 'before')
  one.write('/dir/child', 'x')
  one.begin()
  return { store, one, two }
}

describe('a transaction', () => {
  it('is seen by nobody else until it is committed, and leaves no trace when it is not', () => {
    const { one, two } = setUp()
    one.write('/a', 'after')
    one.remove('/dir')
    one.write('/new/deep', 'y')
    expect([one.read('/a'), one.read('/dir/child'), one.read('/new/deep')]).toEqual(['after', 'ENOENT', 'y'])
    expect([two.read('/a'), two.read('/dir/child'), two.read('/new')]).toEqual(['before', 'x', 'ENOENT'])
    expect(one.commit('F')).toBe(OK)
    expect([two.read('/a'), two.read('/dir/child'), two.read('/new')]).toEqual(['before', 'x', 'ENOENT'])
    one.begin()
    one.write('/a', 'after')
    one.remove('/dir')
    expect(one.commit()).toBe(OK)
    expect([two.read('/a'), two.read('/dir')]).toEqual(['after', 'ENOENT'])
  })

  it('reads what it has read before, whatever happens outside', () => {
    const { one, two } = setUp()
    expect(one.read('/a')).toBe('before')
    two.write('/a', 'outside')
    expect(one.read('/a')).toBe('before')
    // What it reads for the first time is as it is by then.
    two.write('/dir/child', 'outside')
    expect(one.read('/dir/child')).toBe('outside')
  })

  it.each([
    ['read, changed outside, something written', ['read /a', 'write /b', '| write /a'], 'EAGAIN'],
    ['read, changed outside, only read', ['read /a', '| write /a'], 'EAGAIN'],
    ['overwritten without reading, changed outside', ['write /a', '| write /a'], 'EAGAIN'],
    ['absent, created outside', ['read /none', 'write /b', '| write /none'], 'EAGAIN'],
    ['listed, child added outside', ['list /dir', 'write /b', '| write /dir/other'], 'EAGAIN'],
    ['both create a child of one node', ['write /dir/one', '| write /dir/two'], 'EAGAIN'],
    ['removed outside', ['read /a', '| remove /a'], 'EAGAIN'],
    ['the value of a listed child changes', ['list /dir', 'write /b', '| write /dir/child'], OK],
    ['something else changes', ['read /a', 'write /b', '| write /dir/child'], OK],
    ['changed before it is read', ['| write /a', 'read /a', 'write /b'], OK],
    ['permissions are set outside', ['read /a', '| allow /a'], 'EAGAIN'],
  ] as const)('%s', (_what, steps, answer) => {
    const { one, two } = setUp()
    for (const step of steps) {
      const outside = step.startsWith('| ')
      const [act, path] = (outside ? step.slice(2) : step).split(' ') as ['read' | 'write', string]
      if ((act as string) === 'allow') two.allow(path, 'n0', 'r5')
      else (outside ? two : one)[act](path, 'value')
    }
    expect(one.commit()).toBe(answer)
  })

  it('is over with its end, whatever comes of it, but not with one that is wrong', () => {
    const { one, two } = setUp()
    const { transaction } = one
    expect(one.ask(Type.transactionEnd, 'T')).toBe('EINVAL')
    expect(one.ask(Type.transactionEnd, 'X\0')).toBe('EINVAL')
    one.read('/a')
    two.write('/a')
    expect(one.commit()).toBe('EAGAIN')
    expect(one.ask(Type.read, '/a\0', transaction)).toBe('ENOENT')
    expect(one.ask(Type.transactionEnd, 'T\0', 0)).toBe('ENOENT')
  })

  it('belongs to its connection, and has a number there, from 1', () => {
    const { one, two } = setUp()
    expect(one.transaction).toBe(1)
    expect(two.ask(Type.read, '/a\0', 1)).toBe('ENOENT')
    expect(two.begin()).toBe('1\0')
    expect(one.ask(Type.transactionStart, '\0', 1)).toBe('EBUSY')
    expect(one.ask(Type.transactionStart, '\0', 9)).toBe('ENOENT')
    expect(one.ask(Type.transactionStart, '')).toBe('EBUSY')
    expect(one.ask(Type.transactionStart, '', 0)).toBe('2\0')
  })

  it('does not hold up watches, which take no part in it', () => {
    const { one } = setUp()
    expect(one.ask(Type.watch, '/a\0t\0', 77)).toBe(OK)
    one.events()
    one.write('/a')
    one.write('/dir/child')
    expect(one.events()).toEqual([])
    expect(one.commit()).toBe(OK)
    expect(one.events()).toEqual(['/a t'])
  })

  it('tells the watches of what was removed once each, of a changed node once', () => {
    const { one, two } = setUp()
    two.watch('/', 'root')
    two.watch('/dir/child', 'child')
    two.events()
    one.write('/a', '1')
    one.write('/a', '2')
    one.remove('/dir')
    one.commit()
    expect(two.events().sort()).toEqual(['/a root', '/dir root', '/dir/child child'])
  })

  it('does not tell of a node that came and went in it', () => {
    const { one, two } = setUp()
    two.watch('/b')
    two.events()
    one.write('/b')
    one.remove('/b')
    expect(one.commit()).toBe(OK)
    expect(two.events()).toEqual([])
  })

  it('ends with its connection, and with RESET_WATCHES', () => {
    const { store, one, two } = setUp()
    expect(store.daemon.count().transactions).toBe(1)
    one.close()
    expect(store.daemon.count()).toEqual({ connections: 1, watches: 0, transactions: 0 })
    two.begin()
    two.watch('/a')
    expect(two.ask(Type.resetWatches, '\0')).toBe(OK)
    expect(store.daemon.count()).toEqual({ connections: 1, watches: 0, transactions: 0 })
    expect(two.read('/a')).toBe('ENOENT')
  })
})
