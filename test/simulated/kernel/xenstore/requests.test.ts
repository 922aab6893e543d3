import { describe, expect, it } from 'vitest'
import { TestStore, Type } from './support.js'

const OK = 'OK\0'

describe('what a request must look like', () => {
  it.each([
    ['no NUL', '/tool', 'EINVAL'],
    ['nothing at all', '', 'EINVAL'],
    ['two NULs', '/tool\0\0', 'EINVAL'],
    ['bytes after the NUL', '/tool\0x', 'EINVAL'],
    ['one NUL at the end', '/tool\0', ''],
  ])('READ with %s', (_what, payload, answer) => {
    expect(new TestStore().program().ask(Type.read, payload)).toBe(answer)
  })

  it.each([
    ['/a+b', 'EINVAL'],
    ['/a b', 'EINVAL'],
    ['/a.b', 'EINVAL'],
    ['/é', 'EINVAL'],
    ['//', 'EINVAL'],
    ['/a//b', 'EINVAL'],
    ['/a/', 'EINVAL'],
    ['', 'EINVAL'],
    ['@releaseDomain', 'EINVAL'],
    ['/A-z_0@9', OK],
    ['relative', OK],
    [`/${'l'.repeat(2047)}`, OK],
    [`/${'l'.repeat(2048)}`, 'EINVAL'],
    [`/local/domain/12345/${'l'.repeat(2048)}`, OK],
    [`/local/domain/12345/${'l'.repeat(2049)}`, 'EINVAL'],
    [`/local/domain/123456/${'l'.repeat(2040)}`, 'EINVAL'],
  ])('the path %s', (path, answer) => {
    expect(new TestStore().program().mkdir(path)).toBe(answer)
  })

  it('a value is all that follows the first NUL, with any bytes', () => {
    const program = new TestStore().program()
    expect(program.ask(Type.write, '/a\0\0x\0é')).toBe(OK)
    expect(program.read('/a')).toBe('\0x\0é')
    expect(program.ask(Type.write, '/a')).toBe('EINVAL')
  })

  it.each([15, 16, 20, 23, 26, 0xffff, 0xffff_ffff])('type %i is none', (type) => {
    expect(new TestStore().program().ask(type, '/tool\0', 99)).toBe('ENOSYS')
  })

  it.each([Type.control, Type.introduce, Type.release, Type.isDomainIntroduced, Type.resume, Type.setTarget])(
    'type %i is not for guests',
    (type) => {
      expect(new TestStore().guest(5).ask(type, '5\x001\x001\0')).toBe('EACCES')
    },
  )

  it('the reply has the ids of the request, and those of an error too', () => {
    const store = new TestStore()
    const { connection } = store.program()
    const ask = (type: number, transactionId: number) =>
      store.daemon.receive(connection, {
        type,
        requestId: 0xffff_ffff,
        transactionId,
        payload: Buffer.from('/tool\0'),
      })
    ask(Type.read, 0)
    ask(Type.read, 7)
    const replies = connection.outbox.take()
    expect([0, 4, 8, 12].map((at) => replies.readUInt32LE(at))).toEqual([Type.read, 0xffff_ffff, 0, 0])
    expect([16, 20, 24, 28].map((at) => replies.readUInt32LE(at))).toEqual([Type.error, 0xffff_ffff, 7, 7])
    expect(replies.toString('latin1', 32)).toBe('ENOENT\0')
  })
})

describe('long directories', () => {
  const name = (i: number) => `child-with-a-name-${String(i).padStart(4, '0')}`
  const fill = (children: number) => {
    const program = new TestStore().program()
    for (let i = 0; i < children; i++) program.write(`/long/${name(i)}`)
    return program
  }
  const part = (program: ReturnType<typeof fill>, offset: number) =>
    program.ask(Type.directoryPart, `/long\0${offset}\0`)

  it('do not fit into one reply', () => {
    // 23 bytes each: 178 are 4094.
    expect(fill(178).list('/long')).toHaveLength(178)
    expect(fill(179).ask(Type.directory, '/long\0')).toBe('E2BIG')
  })

  it('come in parts of whole names, of which the last ends with an empty one', () => {
    const program = fill(300)
    let offset = 0
    let list = ''
    for (let parts = 0; ; parts++) {
      const [generation, ...names] = part(program, offset).split('\0')
      expect(generation).toMatch(/^\d+$/)
      const piece = names.slice(0, -1)
      if (piece.at(-1) === '') {
        list += `${piece.slice(0, -1).join('\0')}\0`
        expect(parts).toBe(1)
        break
      }
      list += `${piece.join('\0')}\0`
      offset = list.length
    }
    expect(list.split('\0').slice(0, -1)).toEqual(Array.from({ length: 300 }, (_, i) => name(i)))
  })

  it('are empty beyond their end, and change their generation with every child', () => {
    const program = fill(2)
    const [before] = part(program, 0).split('\0')
    expect(part(program, 46)).toBe(`${before}\0\0`)
    expect(part(program, -1)).toBe(`${before}\0\0`)
    program.write('/long/x/y')
    expect(part(program, 1000)).not.toBe(`${before}\0\0`)
    expect(program.ask(Type.directoryPart, '/long\0')).toBe('EINVAL')
  })
})

describe('CONTROL', () => {
  const ask = (payload: string) => new TestStore().program().ask(Type.control, payload)

  it.each([
    ['check\0', OK],
    ['print\0text\0', OK],
    ['help\0x\0', 'EINVAL'],
    ['nothing\0', 'EINVAL'],
    ['', 'EINVAL'],
    ['quota\x0099\0', 'ENOENT'],
    ['quota\0set\0nodes\0x\0', 'EINVAL'],
  ])('%j', (payload, answer) => {
    expect(ask(payload)).toBe(answer)
  })

  it('tells the quotas, and what a domain has of them', () => {
    const store = new TestStore()
    const program = store.program()
    store.guest(5).watch('data')
    expect(program.ask(Type.control, 'quota\0')).toContain('nodes            :     1000 Nodes per domain\n')
    expect(program.ask(Type.control, 'quota\x005\0')).toContain('watches         :        1\n')
  })
})
