import { describe, expect, it } from 'vitest'
import { encodeMessage, MessageReader } from '../../../src/drivers/xenbus/wire.js'
import { XenbusDriver } from '../../../src/simulated/kernel/xenbus.js'
import type { XenbusFile } from '../../../src/simulated/kernel/xenbus-file.js'
import { eventText, TestStore, Type } from '../kernel/xenstore/support.js'

const OK = 'OK\0'

function setUp() {
  const store = new TestStore()
  const program = store.program()
  store.domains.add(5)
  store.daemon.introduce(5)
  program.write('/local/domain/5/data')
  program.allow('/local/domain/5/data', 'n5')
  const driver = new XenbusDriver(store.daemon, 5)
  return { store, program, driver, file: driver.open() }
}

function message(type: number, payload: string, transactionId = 0, requestId = 1): Buffer {
  return encodeMessage({ type, requestId, transactionId, payload: Buffer.from(payload, 'latin1') })
}

/** What can be read of a file: the payload of a reply, an event as `path token`. */
function read(file: XenbusFile): string[] {
  return new MessageReader(4096)
    .push(file.read())
    .map(({ type, payload }) => (type === Type.watchEvent ? eventText(payload) : payload.toString('latin1')))
}

/** Writes a request at once. */
function ask(driver: XenbusDriver, file: XenbusFile, ...request: Parameters<typeof message>): string[] {
  driver.write(file, message(...request))
  return read(file)
}

describe('the simulated /dev/xen/xenbus', () => {
  it('passes requests on as its domain, and replies with the ids of the request', () => {
    const { driver, file } = setUp()
    expect(ask(driver, file, Type.write, 'data/x\0value')).toEqual([OK])
    driver.write(file, message(Type.read, 'data/x\0', 0, 0xfffffffe))
    expect(new MessageReader(4096).push(file.read())).toEqual([
      { type: Type.read, requestId: 0xfffffffe, transactionId: 0, payload: Buffer.from('value') },
    ])
    expect(ask(driver, file, Type.read, '/tool\0')).toEqual(['EACCES\0'])
  })

  it('takes a request in many writes, but only the first of one write', () => {
    const { driver, file } = setUp()
    for (const byte of message(Type.mkdir, 'data/a\0')) driver.write(file, Uint8Array.of(byte))
    expect(read(file)).toEqual([OK])
    driver.write(file, Buffer.concat([message(Type.mkdir, 'data/b\0'), message(Type.mkdir, 'data/c\0')]))
    expect(read(file)).toEqual([OK])
    expect(ask(driver, file, Type.directory, 'data\0')).toEqual(['a\0b\0'])
  })

  it('has room for a payload of 4080 bytes, and drops what is more, with what there was of it', () => {
    const { driver, file, program } = setUp()
    program.write('/shared')
    program.allow('/shared', 'b0')
    const fits = `/shared\0${'x'.repeat(4080 - 8)}`
    expect(ask(driver, file, Type.write, fits)).toEqual(['ENOSPC\0'])
    expect(() => driver.write(file, message(Type.write, `${fits}x`))).toThrow(
      expect.objectContaining({ code: 'EINVAL', syscall: 'write' }),
    )
    const header = message(Type.write, '')
    header.writeUInt32LE(4081, 12)
    expect(() => driver.write(file, header)).toThrow(expect.objectContaining({ code: 'E2BIG' }))
    driver.write(file, message(Type.read, 'data\0').subarray(0, 10))
    expect(() => driver.write(file, Buffer.alloc(4090))).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(ask(driver, file, Type.read, 'data\0')).toEqual([''])
  })

  it('tells of a new watch before it replies', () => {
    const { driver, file } = setUp()
    expect(ask(driver, file, Type.watch, 'data\0t\0')).toEqual(['data t', OK])
  })

  it('takes a watch twice, and every event comes twice then', () => {
    const { driver, file, program } = setUp()
    expect(ask(driver, file, Type.watch, 'data\0t\0')).toEqual(['data t', OK])
    expect(ask(driver, file, Type.watch, 'data\0t\0')).toEqual(['data t', OK])
    program.write('/local/domain/5/data/x')
    expect(read(file)).toEqual(['data/x t', 'data/x t'])
    expect(ask(driver, file, Type.unwatch, 'data\0t\0')).toEqual([OK])
    program.write('/local/domain/5/data/x')
    expect(read(file)).toEqual(['data/x t'])
  })

  it('removes a watch that there is not', () => {
    const { driver, file } = setUp()
    expect(ask(driver, file, Type.unwatch, 'data\0t\0')).toEqual([OK])
  })

  it('refuses a watch in write(), and one without its NULs in a reply', () => {
    const { driver, file } = setUp()
    const watch = (payload: string) => () => ask(driver, file, Type.watch, payload)
    expect(watch('a//b\0t\0')).toThrow(expect.objectContaining({ code: 'EINVAL', syscall: 'write' }))
    expect(read(file)).toEqual([])
    expect(watch('data\0t')()).toEqual(['EINVAL\0'])
    expect(watch('data')()).toEqual(['EINVAL\0'])
    for (let i = 0; i < 129; i++) watch(`data\0${i}\0`)()
    expect(watch('data\0more\0')).toThrow(expect.objectContaining({ code: 'E2BIG' }))
  })

  it('drops the depth of a watch', () => {
    const { driver, file } = setUp()
    expect(ask(driver, file, Type.watch, 'data\0t\x001\0')).toEqual(['data t', OK])
  })

  it('knows the transactions of each file', () => {
    const { driver, file } = setUp()
    const other = driver.open()
    expect(ask(driver, file, Type.transactionStart, '\0')).toEqual(['1\0'])
    expect(ask(driver, other, Type.transactionStart, '\0')).toEqual(['2\0'])
    expect(ask(driver, other, Type.read, 'data\0', 1)).toEqual(['ENOENT\0'])
    expect(ask(driver, file, Type.transactionEnd, 'X\0', 1)).toEqual(['EINVAL\0'])
    expect(ask(driver, file, Type.transactionEnd, 'T\0', 1)).toEqual([OK])
    expect(ask(driver, file, Type.transactionEnd, 'T\0', 1)).toEqual(['ENOENT\0'])
  })

  it('never answers the end of no transaction', () => {
    const { driver, file } = setUp()
    expect(ask(driver, file, Type.transactionEnd, 'T\0', 0)).toEqual([])
    expect(ask(driver, file, Type.read, 'data\0')).toEqual([''])
  })

  it('ends the watches and transactions of a file with it', () => {
    const { store, driver, file } = setUp()
    const other = driver.open()
    ask(driver, file, Type.watch, 'data\0t\0')
    ask(driver, other, Type.watch, 'data\0t\0')
    ask(driver, file, Type.transactionStart, '\0')
    expect(store.daemon.count(5)).toEqual({ connections: 1, watches: 2, transactions: 1 })
    driver.close(file)
    expect(store.daemon.count(5)).toEqual({ connections: 1, watches: 1, transactions: 0 })
    driver.close(other)
    expect(store.daemon.count(5)).toEqual({ connections: 0, watches: 0, transactions: 0 })
  })

  it('has an event for the file that watches, and wakes whoever waits for it', () => {
    const { driver, file, program } = setUp()
    const other = driver.open()
    ask(driver, file, Type.watch, 'data\0t\0')
    let woken = 0
    file.wait(() => woken++)
    other.wait(() => {
      throw new Error('nothing is for this one')
    })
    program.write('/local/domain/5/data')
    expect(woken).toBe(1)
    expect([read(file), read(other)]).toEqual([['data t'], []])
  })

  it('is of no use when its domain has been released, and closes', () => {
    const { driver, file, program } = setUp()
    ask(driver, file, Type.watch, 'data\0t\0')
    program.ask(Type.release, '5\0')
    expect(() => driver.write(file, message(Type.read, 'data\0'))).toThrow(
      expect.objectContaining({ code: 'ESRCH' }),
    )
    driver.close(file)
  })
})
