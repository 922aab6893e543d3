import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Grant, GrantMapper } from 'xen-grants'
import { useServer } from '../setup/server.js'
import { rejection } from '../setup/xen.js'

const world = useServer()
let mapper: GrantMapper

beforeEach(async () => {
  mapper = await GrantMapper.open({
    device: world.xen.domain(7),
    fillers: { threads: 2, inPlaceBelow: 0, abortGrace: 50 },
  })
})
afterEach(async () => {
  await mapper.close()
  await Promise.all(granted.splice(0).map((grant) => grant.unshare()))
})

const granted: Grant[] = []

async function share(options = {}): Promise<Grant> {
  const grant = await world.server.share({ domid: 7, pages: 4, writable: true, ...options })
  granted.push(grant)
  return grant
}

describe('map', () => {
  it('shows what the granter writes, and carries back what the mapper writes', async () => {
    const grant = await share()
    grant.bytes.fill(3)
    const mapped = await mapper.map({ domid: 0, refs: grant.refs, writable: true })
    expect(mapped).toMatchObject({ pages: 4, byteLength: 16384, writable: true })
    expect(mapped.refs).toEqual(grant.refs)
    expect(mapped.bytes.every((byte) => byte === 3)).toBe(true)
    mapped.bytes.fill(4)
    expect(grant.bytes.every((byte) => byte === 4)).toBe(true)
  })

  it('takes references in any order, more than once, and of several domains', async () => {
    const grant = await share()
    for (const [page, ref] of grant.refs.entries())
      grant.bytes.fill(ref & 255, page * 4096, (page + 1) * 4096)
    const refs = [...grant.refs, ...grant.refs].reverse()
    await using mapped = await mapper.map({ grants: refs.map((ref) => ({ domid: 0, ref })) })
    expect(refs.map((_, page) => mapped.bytes[page * 4096])).toEqual(refs.map((ref) => ref & 255))
  })

  it.each([0, 1, 2, 3])('says which reference cannot be mapped (the one at %i)', async (bad) => {
    const grant = await share()
    const refs = [...grant.refs]
    refs[bad] = 30_000
    const error = await rejection(mapper.map({ domid: 0, refs }))
    expect(error).toMatchObject({ name: 'GrantError', code: 'EINVAL', domid: 0, ref: 30_000, pages: 4 })
    expect(error.message).toContain('reference 30000 of domain 0')
  })

  it('refuses to write to what is granted for reading, to map what is granted to others, or is gone', async () => {
    const readOnly = await share({ writable: false })
    const foreign = await share({ domid: 8 })
    const gone = await share()
    const { refs } = gone
    await gone.unshare()
    for (const options of [{ refs: readOnly.refs, writable: true }, { refs: foreign.refs }, { refs }]) {
      expect((await rejection(mapper.map({ domid: 0, ...options }))).code).toBe('EINVAL')
    }
    await using mapped = await mapper.map({ domid: 0, refs: readOnly.refs })
    expect((await rejection(mapped.fill({ byte: 1 }))).code).toBe('EACCES')
    expect(() => mapped.createWriteStream()).toThrow(/reading only/)
  })

  it.each([
    [{ domid: 0, refs: [0] }, 'ERR_OUT_OF_RANGE'],
    [{ domid: 0, refs: [2 ** 32] }, 'ERR_OUT_OF_RANGE'],
    [{ domid: 0, refs: [1.5] }, 'ERR_OUT_OF_RANGE'],
    [{ domid: 0, refs: [] }, 'ERR_OUT_OF_RANGE'],
    [{ domid: -1, refs: [9] }, 'ERR_OUT_OF_RANGE'],
    [{ refs: [9] }, 'ERR_INVALID_ARG_TYPE'],
    [{ domid: 0, refs: 'abc' }, 'ERR_INVALID_ARG_TYPE'],
    [{ domid: 0, refs: [9], writeable: true }, 'ERR_INVALID_ARG_VALUE'],
    [{ grants: [{ domid: 0, ref: '9' }] }, 'ERR_INVALID_ARG_TYPE'],
    [undefined, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %j', async (options, code) => {
    expect((await rejection(mapper.map(options as never))).code).toBe(code)
  })

  it('that is aborted while it goes on leaves nothing mapped', async () => {
    const grant = await share()
    const stop = new AbortController()
    const reason = new Error('enough')
    const mapping = mapper.map({ domid: 0, refs: grant.refs, signal: stop.signal })
    stop.abort(reason)
    expect(await rejection(mapping)).toBe(reason)
    expect(await world.xen.counters()).toMatchObject({ maps: 0, foreignMappings: 0 })
    const refused = mapper.map({ domid: 0, refs: grant.refs, signal: stop.signal })
    expect(await rejection(refused)).toBe(reason)
  })

  it('that is under way when its mapper is closed comes to nothing', async () => {
    const grant = await share()
    const mapping = rejection(mapper.map({ domid: 0, refs: grant.refs }))
    await mapper.close()
    expect((await mapping).code).toBe('ERR_GRANTS_CLOSED')
    expect(await world.xen.counters()).toMatchObject({ maps: 0, foreignMappings: 0 })
  })
})

describe('a mapped grant', () => {
  it('is filled, run over and streamed by the same means as a grant', async () => {
    const grant = await share()
    const mapped = await mapper.map({ domid: 0, refs: grant.refs, writable: true })
    await mapped.fill({ byte: 9 })
    expect(grant.bytes.every((byte) => byte === 9)).toBe(true)
    const results = await mapped.run(new URL('../fixtures/filler.mjs', import.meta.url), { sliceBytes: 8192 })
    expect(results).toHaveLength(2)
    expect([grant.bytes[0], grant.bytes[8192]]).toEqual([1, 2])
    const chunks: Buffer[] = []
    await pipeline(mapped.createReadStream({ start: 8000, end: 9000 }), async (source) => {
      for await (const chunk of source) chunks.push(chunk as Buffer)
    })
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(grant.bytes.slice(8000, 9000)))
  })

  it('is empty once unmapped, in order or by force; unmapping again does nothing', async () => {
    const grant = await share()
    for (const force of [false, true]) {
      const mapped = await mapper.map({ domid: 0, refs: grant.refs, writable: true })
      const view = mapped.bytes
      view.set([1, 5])
      await Promise.all([mapped.unmap({ force }), mapped.unmap()])
      await mapped.unmap({ force })
      view[0] = 2
      expect([view[1], mapped.bytes.length, grant.bytes[0]]).toEqual([0, 0, 1])
      for (const use of [mapped.fill({ byte: 1 }), mapped.setUnmapNotify({ clearByte: 1 })]) {
        expect((await rejection(use)).code).toBe('ERR_GRANTS_UNSHARED')
      }
    }
  })

  it('by force ends under a module that writes for ever', async () => {
    const grant = await share()
    const mapped = await mapper.map({ domid: 0, refs: grant.refs, writable: true })
    const started = new Int32Array(new SharedArrayBuffer(4))
    const running = rejection(
      mapped.run(new URL('../fixtures/filler.mjs', import.meta.url), { args: { do: 'spin', started } }),
    )
    const begun = Atomics.waitAsync(started, 0, 0)
    const awake = setInterval(() => {}, 1000)
    if (begun.async) await begun.value
    clearInterval(awake)
    await mapped.unmap({ force: true })
    expect((await running).code).toBe('ERR_GRANTS_UNSHARED')
  })

  it('keeps the pages readable after the granter has taken them back, scrubbed', async () => {
    const grant = await share()
    grant.bytes.fill(5)
    const mapped = await mapper.map({ domid: 0, refs: grant.refs })
    await grant.unshare()
    expect(mapped.bytes.every((byte) => byte === 0)).toBe(true)
    await mapped.unmap()
  })

  it("clears the byte asked for in the granter's page when it goes", async () => {
    const grant = await share()
    grant.bytes.fill(1)
    const mapped = await mapper.map({
      domid: 0,
      refs: grant.refs,
      writable: true,
      unmapNotify: { page: 1, clearByte: 5 },
    })
    expect(grant.bytes[4096 + 5]).toBe(1)
    await mapped.unmap()
    expect([grant.bytes[4096 + 4], grant.bytes[4096 + 5]]).toEqual([1, 0])
    const readOnly = await mapper.map({ domid: 0, refs: grant.refs })
    expect((await rejection(readOnly.setUnmapNotify({ clearByte: 5 }))).code).toBe('EINVAL')
    expect((await rejection(readOnly.setUnmapNotify({ port: 4000 }))).code).toBe('EINVAL')
  })
})

describe('copy', () => {
  it('copies between grants and memory, each segment with its own fate', async () => {
    const grant = await share()
    const readOnly = await share({ writable: false })
    const [ref] = grant.refs
    grant.bytes.set([1, 2, 3, 4], 100)
    const memory = new Uint8Array(4)
    const results = await mapper.copy([
      { source: { domid: 0, ref: ref!, offset: 100 }, target: memory },
      { source: new Uint8Array([7, 8, 9]), target: { domid: 0, ref: ref!, offset: 4093 } },
      { source: new Uint8Array([7]), target: { domid: 0, ref: readOnly.refs[0]! } },
      { source: { domid: 0, ref: 30_000 }, target: memory.subarray(0, 1) },
      { source: { domid: 0, ref: ref!, offset: 4093 }, target: { domid: 0, ref: grant.refs[1]! }, length: 3 },
    ])
    expect(results.map(({ status }) => Math.sign(status))).toEqual([0, 0, -1, -1, 0])
    expect(results[2]!.name).toBe('GNTST_general_error')
    expect([...memory]).toEqual([1, 2, 3, 4])
    expect([...grant.bytes.subarray(4093, 4099)]).toEqual([7, 8, 9, 7, 8, 9])
  })

  it.each([
    [[{ source: { domid: 0, ref: 9, offset: 4090 }, target: new Uint8Array(10) }], 'ERR_OUT_OF_RANGE'],
    [[{ source: new Uint8Array(4097), target: { domid: 0, ref: 9 } }], 'ERR_OUT_OF_RANGE'],
    [[{ source: new Uint8Array(1), target: new Uint8Array(1) }], 'ERR_INVALID_ARG_TYPE'],
    [[{ source: { domid: 0, ref: 9 }, target: { domid: 0, ref: 9 } }], 'ERR_INVALID_ARG_TYPE'],
    ['x', 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %j', async (segments, code) => {
    expect((await rejection(mapper.copy(segments as never))).code).toBe(code)
  })
})

describe('close', () => {
  it('unmaps everything and makes later calls reject', async () => {
    const grant = await share()
    const mapped = await mapper.map({ domid: 0, refs: grant.refs })
    const closed = once(mapper, 'close')
    await Promise.all([mapper.close(), mapper.close({ force: true })])
    await closed
    expect(mapped.bytes.length).toBe(0)
    expect((await rejection(mapper.map({ domid: 0, refs: grant.refs }))).code).toBe('ERR_GRANTS_CLOSED')
    expect((await rejection(mapper.copy([]))).code).toBe('ERR_GRANTS_CLOSED')
  })
})
