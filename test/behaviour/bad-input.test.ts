import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { GrantClient, GrantServer } from 'xen-grants'
import { useServer } from '../setup/server.js'
import { rejection } from '../setup/xen.js'

const world = useServer()
let server: GrantServer
beforeAll(() => {
  server = world.server
})

const share = (options: object) => rejection(server.share({ domid: 7, pages: 1, ...options } as never))

describe('share refuses', () => {
  it.each([-1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('domid %s', async (domid) => {
    expect(await share({ domid })).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
  })
  it.each(['7', null, 7n, {}])('domid %s', async (domid) => {
    expect(await share({ domid })).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  })
  it.each([0x7ff0, 0x7fff, 65_535])('domid %s, saying that it can never be mapped', async (domid) => {
    const error = await share({ domid })
    expect(error.code).toBe('ERR_OUT_OF_RANGE')
    expect(error.message).toMatch(/0x7FF0.*never be mapped/)
  })
  it.each([0, -1, 1.5, Number.NaN, 2 ** 31, 2 ** 53])('%s pages', async (pages) => {
    expect(await share({ pages })).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
  })
  it('a misspelt option, naming the right one', async () => {
    const error = await share({ writeable: true })
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    expect(error.message).toContain("Did you mean 'writable'")
  })
  it('a writable that is no boolean, a signal that is no signal', async () => {
    expect((await share({ writable: 1 })).code).toBe('ERR_INVALID_ARG_TYPE')
    expect((await share({ signal: {} })).code).toBe('ERR_INVALID_ARG_TYPE')
  })
})

describe('open refuses', () => {
  const open = (options: unknown) => rejection(GrantServer.open(options as never))
  it('unknown options and budgets that are none', async () => {
    expect((await open({ devices: 'x' })).message).toContain("Did you mean 'device'")
    expect((await open({ maxPages: 0 })).code).toBe('ERR_OUT_OF_RANGE')
    expect((await open({ fillers: { threads: 0 } })).code).toBe('ERR_OUT_OF_RANGE')
    expect((await open({ device: 7 })).code).toBe('ERR_INVALID_ARG_TYPE')
  })
  it.each(['', 'a\0b', null])('%j as a path', async (device) => {
    const wrong = await open({ device })
    expect(wrong.code).toBe(device === null ? 'ENOENT' : 'ERR_INVALID_ARG_TYPE')
  })
  it('a path that is missing, a directory, a regular file, another device', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'xen-grants-open-'))
    const file = join(folder, 'file')
    writeFileSync(file, '')
    expect(await open({ device: join(folder, 'none') })).toMatchObject({ name: 'GrantError', code: 'ENOENT' })
    expect((await open({ device: folder })).code).toBe('EISDIR')
    expect((await open({ device: file })).code).toBe('ENODEV')
    expect((await open({ device: '/dev/null' })).code).toBe('ENOTTY')
  })
  it('a signal that has fired', async () => {
    const reason = new Error('no')
    expect(await open({ device: world.xen, signal: AbortSignal.abort(reason) })).toBe(reason)
  })
})

describe('setUnmapNotify refuses', () => {
  it.each([
    { page: 2 },
    { page: -1 },
    { clearByte: 4096 },
    { clearByte: -1 },
    { port: 0 },
    { port: 2 ** 32 },
  ])('%o', async (options) => {
    await using grant = await server.share({ domid: 7, pages: 2 })
    expect((await rejection(grant.setUnmapNotify(options))).code).toBe('ERR_OUT_OF_RANGE')
  })
  it('an unknown option', async () => {
    await using grant = await server.share({ domid: 7, pages: 2 })
    expect((await rejection(grant.setUnmapNotify({ byte: 1 } as never))).code).toBe('ERR_INVALID_ARG_VALUE')
  })
})

describe('fill refuses', () => {
  const cases: [string, unknown, object | undefined, string][] = [
    ['a source longer than the grant', new Uint8Array(4097), undefined, 'ERR_OUT_OF_RANGE'],
    ['a source too long for its offset', new Uint8Array(4096), { offset: 1 }, 'ERR_OUT_OF_RANGE'],
    ['an offset past the end', new Uint8Array(0), { offset: 4097 }, 'ERR_OUT_OF_RANGE'],
    ['an offset that is no integer', new Uint8Array(1), { offset: 0.5 }, 'ERR_OUT_OF_RANGE'],
    ['an offset that is no number', new Uint8Array(1), { offset: '0' }, 'ERR_INVALID_ARG_TYPE'],
    ['a number', 7, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['a string', 'text', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['null', null, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['an object of no kind', {}, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['a byte above 255', { byte: 256 }, undefined, 'ERR_OUT_OF_RANGE'],
    ['an unknown field', { byte: 1, offset: 3 }, undefined, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown option', { byte: 1 }, { offest: 3 }, 'ERR_INVALID_ARG_VALUE'],
    ['a file that is not there', { file: '/nonexistent/file' }, undefined, 'ENOENT'],
    ['a directory', { file: '/' }, undefined, 'EISDIR'],
    ['a descriptor that is not open', { file: 1_000_000 }, undefined, 'EBADF'],
    [
      'a position past the end of the file',
      { file: '/etc/passwd', position: 2 ** 40 },
      undefined,
      'ERR_OUT_OF_RANGE',
    ],
    ['more than the file has', { file: '/etc/passwd', length: 2 ** 40 }, undefined, 'ERR_OUT_OF_RANGE'],
    ['a device without a length', { file: '/dev/zero' }, undefined, 'ERR_INVALID_ARG_VALUE'],
  ]
  it.each(cases)('%s', async (_name, source, options, code) => {
    await using grant = await server.share({ domid: 7, pages: 1 })
    grant.bytes.fill(5)
    expect((await rejection(grant.fill(source as never, options))).code).toBe(code)
    expect(grant.bytes.every((byte) => byte === 5)).toBe(true)
  })
  it('a detached buffer', async () => {
    await using grant = await server.share({ domid: 7, pages: 1 })
    const bytes = new Uint8Array(64)
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
    expect((await rejection(grant.fill(bytes))).code).toBe('ERR_INVALID_ARG_VALUE')
    expect((await rejection(grant.fill(bytes.buffer))).code).toBe('ERR_INVALID_ARG_VALUE')
  })
})

describe('run refuses', () => {
  it.each([0, 4095, 5000, -4096])('a slice size of %s', async (sliceBytes) => {
    await using grant = await server.share({ domid: 7, pages: 1 })
    const error = await rejection(grant.run('x.mjs', { sliceBytes }))
    expect(['ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE']).toContain(error.code)
  })
  it('a module that is no URL and no path', async () => {
    await using grant = await server.share({ domid: 7, pages: 1 })
    expect((await rejection(grant.run(7 as never))).code).toBe('ERR_INVALID_ARG_TYPE')
  })
})

describe('unshare refuses', () => {
  it.each([
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: 2 ** 31 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: '5' }, 'ERR_INVALID_ARG_TYPE'],
    [{ force: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ fireNotify: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ whenReleased: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ forced: true }, 'ERR_INVALID_ARG_VALUE'],
  ])('%j, and the grant stays', async (options, code) => {
    await using grant = await server.share({ domid: 7, pages: 1 })
    expect((await rejection(grant.unshare(options as never))).code).toBe(code)
    expect(grant.bytes.length).toBe(4096)
  })
})

describe('read and createReadStream refuse', () => {
  it.each([
    [{ start: 10, end: 9 }, 'ERR_OUT_OF_RANGE'],
    [{ start: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ start: 4097 }, 'ERR_OUT_OF_RANGE'],
    [{ end: 4097 }, 'ERR_OUT_OF_RANGE'],
    [{ end: 1.5 }, 'ERR_OUT_OF_RANGE'],
    [{ start: '0' }, 'ERR_INVALID_ARG_TYPE'],
    [{ from: 1 }, 'ERR_INVALID_ARG_VALUE'],
  ])('%j', async (options, code) => {
    await using grant = await server.share({ domid: 7, pages: 1 })
    for (const read of [grant.read.bind(grant), grant.createReadStream.bind(grant)])
      expect(() => read(options as never)).toThrow(expect.objectContaining({ code }))
    expect(grant.read({ start: 10, end: 10 })).toHaveLength(0)
    expect(grant.read({ start: 4096 })).toHaveLength(0)
  })
})

describe('connect refuses', () => {
  it.each([[{ filers: {} }], [{ fillers: { thread: 1 } }]])('%j', async (options) => {
    const port = server.connect()
    expect((await rejection(GrantClient.connect(port, options as never))).code).toBe('ERR_INVALID_ARG_VALUE')
    port.close()
  })
})

describe('a pool and an offer refuse', () => {
  it('a misspelt option', async () => {
    await using grant = await server.share({ domid: 7, pages: 1 })
    const pool = server.pool({ domid: 7, pages: 1, grants: 1, writeable: true } as never)
    expect((await rejection(pool)).code).toBe('ERR_INVALID_ARG_VALUE')
    expect((await rejection(grant.offer({ chanel: 1 } as never))).code).toBe('ERR_INVALID_ARG_VALUE')
    expect((await rejection(grant.released({ signl: 1 } as never))).code).toBe('ERR_INVALID_ARG_VALUE')
    expect((await rejection(grant.released({ signal: 1 } as never))).code).toBe('ERR_INVALID_ARG_TYPE')
  })
})
