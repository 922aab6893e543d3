import { describe, expect, it } from 'vitest'
import { TestStore, Type } from './support.js'

const OK = 'OK\0'

describe('nodes', () => {
  it('are there from the start: the tool and itself', () => {
    const program = new TestStore().program()
    expect(program.list('/')).toEqual(['tool'])
    expect(program.list('/tool')).toEqual(['xenstored'])
    expect(program.permissions('/tool/xenstored')).toBe('n0\0')
  })

  it('are created with everything above them, empty, and listed in the order of their creation', () => {
    const program = new TestStore().program()
    program.write('/a/z/deep', 'x')
    program.write('/a/b', 'y')
    program.mkdir('/a/c')
    expect(program.list('/a')).toEqual(['z', 'b', 'c'])
    expect([program.read('/a'), program.read('/a/z'), program.read('/a/z/deep')]).toEqual(['', '', 'x'])
  })

  it('keep their value when they are made again, and their children when they are written', () => {
    const program = new TestStore().program()
    program.write('/a', 'value')
    program.mkdir('/a/b')
    expect(program.mkdir('/a')).toBe(OK)
    expect(program.read('/a')).toBe('value')
    program.write('/a', '')
    expect(program.list('/a')).toEqual(['b'])
  })

  it('go with all that is below them', () => {
    const program = new TestStore().program()
    program.write('/a/b/c/d')
    program.write('/a/e')
    expect(program.remove('/a/b')).toBe(OK)
    expect(program.list('/a')).toEqual(['e'])
    expect(program.read('/a/b/c/d')).toBe('ENOENT')
    program.write('/a/b')
    expect(program.list('/a/b')).toEqual([])
  })

  it('that are not there can be removed where their parent is', () => {
    const program = new TestStore().program()
    expect(program.remove('/nothing')).toBe(OK)
    expect(program.remove('/nothing/below')).toBe('ENOENT')
    expect(program.remove('/')).toBe('EINVAL')
  })

  it('have paths relative to the folder of the domain, of domain 0 for a program', () => {
    const store = new TestStore()
    const program = store.program()
    store.guest(5)
    program.allow('/', 'b0')
    program.write('/local/domain/5/data', 'five')
    program.write('data', 'zero')
    program.allow('/local/domain/5/data', 'n5')
    expect(store.ring(5).read('data')).toBe('five')
    expect(program.read('/local/domain/0/data')).toBe('zero')
  })
})

describe('permissions', () => {
  const setUp = () => {
    const store = new TestStore()
    const program = store.program()
    return { store, program, five: store.guest(5), six: store.guest(6) }
  }

  it('are copied from the parent, and the guest that creates a node owns it', () => {
    const { program, five } = setUp()
    program.write('/shared')
    program.allow('/shared', 'n0', 'b5', 'r6')
    expect(five.write('/shared/a/b')).toBe(OK)
    expect(five.permissions('/shared/a')).toBe('n5\0b5\0r6\0')
    program.write('/shared/c')
    program.allow('/shared', 'r0')
    expect(program.permissions('/shared/c')).toBe('n0\0b5\0r6\0')
  })

  it('say by the first entry who owns it and what others may, and the first entry with a name counts', () => {
    const { program, six } = setUp()
    program.write('/a', 'x')
    program.allow('/a', 'r5')
    expect(six.read('/a')).toBe('x')
    expect(six.write('/a', 'y')).toBe('EACCES')
    program.allow('/a', 'r5', 'n6', 'b6')
    expect(six.read('/a')).toBe('EACCES')
    program.allow('/a', 'n5', 'w6')
    expect([six.read('/a'), six.write('/a', 'y')]).toEqual(['EACCES', OK])
  })

  it('tell nobody whether there is something who may not see its parent', () => {
    const { program, six } = setUp()
    program.write('/hidden/a')
    expect([six.read('/hidden/a'), six.read('/hidden/b')]).toEqual(['EACCES', 'EACCES'])
    program.allow('/hidden', 'r0')
    expect([six.read('/hidden/a'), six.read('/hidden/b')]).toEqual(['EACCES', 'ENOENT'])
  })

  it('are set by the owner, who cannot give the node away, nor list more than five', () => {
    const { program, five, six } = setUp()
    program.write('/a')
    program.allow('/a', 'b5')
    expect(six.allow('/a', 'n5')).toBe('EACCES')
    expect(five.allow('/a', 'n6')).toBe('EPERM')
    expect(five.allow('/a', 'n5', 'r6', 'r7', 'r8', 'r9')).toBe(OK)
    expect(five.allow('/a', 'n5', 'r6', 'r7', 'r8', 'r9', 'r0')).toBe('ENOSPC')
    expect(program.allow('/a', 'n5', 'r6', 'r7', 'r8', 'r9', 'r0')).toBe(OK)
  })

  it('are only taken with an owner that exists', () => {
    const { program } = setUp()
    program.write('/a')
    expect(program.allow('/a', 'n8')).toBe('ENOENT')
    expect(program.allow('/a', 'n0', 'r8')).toBe(OK)
    expect(program.permissions('/a')).toBe('n0\0r8\0')
  })

  it.each([
    ['n 0', 'n0'],
    ['n+0', 'n0'],
    ['n0x5', 'n5'],
    ['n05', 'n5'],
    ['n4294967296', 'n0'],
    ['n08', undefined],
    ['n', undefined],
    ['', undefined],
    ['x0', undefined],
    ['n0 ', undefined],
  ])('%j are read as C reads them', (given, understood) => {
    const { program } = setUp()
    program.write('/a')
    expect(program.allow('/a', given)).toBe(understood === undefined ? 'EINVAL' : OK)
    if (understood !== undefined) expect(program.permissions('/a')).toBe(`${understood}\0`)
  })

  it('need every entry to end with a NUL', () => {
    const { program } = setUp()
    expect(program.ask(Type.setPerms, '/tool\0n0')).toBe('EINVAL')
    expect(program.ask(Type.setPerms, '/tool\0n0\0r5')).toBe(OK)
    expect(program.permissions('/tool')).toBe('n0\0')
  })

  it('for removing are those of the node, whoever owns what is below', () => {
    const { program, five, six } = setUp()
    program.write('/a/b')
    program.allow('/a', 'n0', 'b5')
    program.allow('/a/b', 'n6')
    expect(six.remove('/a')).toBe('EACCES')
    expect(five.remove('/a')).toBe(OK)
    expect(program.read('/a/b')).toBe('ENOENT')
  })

  it('given to a domain that has gone do not count for a later one of its number', () => {
    const { store, program } = setUp()
    program.write('/a', 'x')
    program.allow('/a', 'n0', 'r6')
    store.destroy(6)
    program.write('/b')
    const other = store.guest(6)
    expect(program.permissions('/a')).toBe('n0\0r6\0')
    expect(other.read('/a')).toBe('EACCES')
    program.allow('/a', 'n0', 'r6')
    expect(other.read('/a')).toBe('x')
  })

  it('of a target are those of the domain that has it', () => {
    const { program, five } = setUp()
    program.write('/a', 'x')
    program.allow('/a', 'n6')
    expect(five.read('/a')).toBe('EACCES')
    expect(program.ask(Type.setTarget, '5\x006\0')).toBe(OK)
    expect([five.read('/a'), five.write('/a', 'y')]).toEqual(['x', OK])
    expect(program.ask(Type.setTarget, '5\x009\0')).toBe('ENOENT')
  })
})
