import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grant, GrantServer } from 'xen-grants'
import { useServer } from '../setup/server.js'
import { rejection } from '../setup/xen.js'

const world = useServer({ fillers: { threads: 2, inPlaceBelow: 1 << 20 } }, { limit: 8192 })
let server: GrantServer
let grant: Grant

const PAGES = 1024
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-fill-'))
afterAll(() => rmSync(folder, { recursive: true }))

beforeEach(async () => {
  server = world.server
  grant = await server.share({ domid: 7, pages: PAGES })
})
afterEach(() => grant.unshare())

/** Bytes that differ from page to page, so that a misplaced slice shows. */
function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 12) * 7 + seed) & 255
  return bytes
}

/** The same in memory that other threads may read. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

describe('fill from memory', () => {
  it.each([
    ['small, in place', pattern(5000), 1],
    ["large, in place: nobody else can read this thread's memory", pattern(3 << 20), 1],
    ['large and shared, by the pool', shared(pattern(3 << 20)), 3],
  ])('%s', async (_name, source, slices) => {
    const { length } = source
    const progress: number[] = []
    const result = await grant.fill(source, { onProgress: ({ bytes }) => progress.push(bytes) })
    expect(result).toMatchObject({ bytes: length, slices })
    expect(same(grant.bytes.subarray(0, length), source)).toBe(true)
    expect(grant.bytes.subarray(length).every((byte) => byte === 0)).toBe(true)
    expect(progress.at(-1)).toBe(length)
  })

  it('handed over is detached at once, and copied by the pool', async () => {
    const source = pattern(3 << 20)
    const expected = source.slice(100)
    const filling = grant.fill(source.subarray(100), { transfer: true, offset: 7 })
    await Promise.resolve()
    expect(source.length).toBe(0)
    expect(await filling).toMatchObject({ bytes: expected.length, slices: 3 })
    expect(same(grant.bytes.subarray(7, 7 + expected.length), expected)).toBe(true)
  })

  it.each([
    ['a SharedArrayBuffer', () => shared(pattern(10))],
    ['a byte', () => ({ byte: 1 })],
    ['a stream', () => Readable.from([pattern(10)])],
  ])('of %s cannot be handed over', async (_name, source) => {
    const refused = await rejection(grant.fill(source(), { transfer: true }))
    expect(refused.code).toBe('ERR_INVALID_ARG_VALUE')
  })

  it('that does not fit is not handed over', async () => {
    const source = pattern(PAGES * 4096)
    const refused = await rejection(grant.fill(source, { transfer: true, offset: 1 }))
    expect([refused.code, source.length]).toEqual(['ERR_OUT_OF_RANGE', PAGES * 4096])
  })

  it('lets others have their turn while a large ArrayBuffer is copied, and notices when that is detached', async () => {
    await using large = await server.share({ domid: 7, pages: 7000 })
    const source = new Uint8Array(7000 * 4096)
    const filling = rejection(large.fill(source))
    await new Promise((resolve) => setImmediate(resolve))
    structuredClone(source.buffer, { transfer: [source.buffer] })
    expect((await filling).code).toBe('ERR_INVALID_STATE')
  })

  it('puts every byte at the offset asked for, and touches no other', async () => {
    for (const [offset, length] of [
      [1, 100],
      [4095, 2 << 20],
      [12345, (2 << 20) + 17],
      [PAGES * 4096, 0],
    ] as const) {
      grant.bytes.fill(0xee)
      await grant.fill(pattern(length), { offset })
      expect(same(grant.bytes.subarray(offset, offset + length), pattern(length))).toBe(true)
      expect(grant.bytes.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true)
      expect(grant.bytes.subarray(offset + length).every((byte) => byte === 0xee)).toBe(true)
    }
  })

  it('takes every kind of memory: views with an offset, DataView, ArrayBuffer, SharedArrayBuffer, Buffer', async () => {
    const big = pattern(3 << 20)
    const shared = new SharedArrayBuffer(big.length)
    new Uint8Array(shared).set(big)
    const part = big.subarray(777, 777 + (2 << 20))
    const sources: [ArrayBufferView | ArrayBuffer | SharedArrayBuffer, Uint8Array][] = [
      [part, part],
      [new DataView(big.buffer, 777, part.length), part],
      [big.buffer as ArrayBuffer, big],
      [shared, big],
      [new Uint8Array(shared, 777, part.length), part],
      [Buffer.from(big), big],
      [new Float64Array(big.buffer, 8, 1 << 18), big.subarray(8, 8 + (8 << 18))],
      [Buffer.from('pooled'), Buffer.from('pooled')],
    ]
    for (const [source, expected] of sources) {
      grant.bytes.fill(0)
      await grant.fill(source)
      expect(same(grant.bytes.subarray(0, expected.length), expected)).toBe(true)
    }
  })

  it('does not lend a resizable buffer to other threads', async () => {
    const buffer = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(2 << 20, {
      maxByteLength: 4 << 20,
    })
    new Uint8Array(buffer).set(pattern(2 << 20))
    expect(await grant.fill(buffer)).toMatchObject({ slices: 1 })
    expect(same(grant.bytes.subarray(0, 2 << 20), pattern(2 << 20))).toBe(true)
  })
})

describe('fill with one byte', () => {
  it.each([0, 1, (3 << 20) + 5])('from offset %i to the end', async (offset) => {
    await grant.fill({ byte: 7 }, { offset })
    expect(grant.bytes.subarray(0, offset).every((byte) => byte === 0)).toBe(true)
    expect(grant.bytes.subarray(offset).every((byte) => byte === 7)).toBe(true)
  })
})

describe('fill from a file', () => {
  const path = join(folder, 'source')
  const content = pattern((2 << 20) + 4321)
  writeFileSync(path, content)

  it('by path, by URL and by descriptor, whole and in part', async () => {
    const fd = openSync(path, 'r')
    const sources: [object, Uint8Array][] = [
      [{ file: path }, content],
      [{ file: pathToFileURL(path) }, content],
      [{ file: fd }, content],
      [{ file: path, position: 4097 }, content.subarray(4097)],
      [{ file: fd, position: 9, length: 1 << 20 }, content.subarray(9, 9 + (1 << 20))],
      [{ file: path, length: 0 }, content.subarray(0, 0)],
    ]
    for (const [source, expected] of sources) {
      grant.bytes.fill(0)
      expect((await grant.fill(source as { file: string }, { offset: 100 })).bytes).toBe(expected.length)
      expect(same(grant.bytes.subarray(100, 100 + expected.length), expected)).toBe(true)
      expect(grant.bytes[100 + expected.length]).toBe(0)
    }
    expect(readFileSync(fd).length).toBe(content.length)
    closeSync(fd)
  })

  it('without a size of its own to its end, in /proc for one', async () => {
    const file = '/proc/self/limits'
    const content = readFileSync(file)
    expect(content.length).toBeGreaterThan(100)
    expect((await grant.fill({ file }, { offset: 4096 })).bytes).toBe(content.length)
    expect(Buffer.compare(grant.bytes.subarray(4096, 4096 + content.length), content)).toBe(0)
    expect(grant.bytes[4096 + content.length]).toBe(0)
    expect((await grant.fill({ file, position: 10 })).bytes).toBe(content.length - 10)
    // Just room enough, and one byte too little.
    const end = grant.byteLength
    expect((await grant.fill({ file }, { offset: end - content.length })).bytes).toBe(content.length)
    const error = await rejection(grant.fill({ file }, { offset: end - content.length + 1 }))
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
  })

  it('that is empty is nothing, and less than what is asked of it', async () => {
    const empty = join(folder, 'empty')
    writeFileSync(empty, '')
    expect((await grant.fill({ file: empty })).bytes).toBe(0)
    expect((await rejection(grant.fill({ file: empty, length: 3 }))).code).toMatch(
      /ERR_OUT_OF_RANGE|SHORT_READ/,
    )
  })

  it('that cannot be opened rejects with the error of the system, and its code', async () => {
    expect(await rejection(grant.fill({ file: '/nonexistent' }))).toMatchObject({
      code: 'ENOENT',
      syscall: 'open',
    })
    expect(await rejection(grant.fill({ file: 4711 }))).toMatchObject({ code: 'EBADF' })
  })

  it('reads a device when told how much', async () => {
    grant.bytes.fill(1)
    await grant.fill({ file: '/dev/zero', length: 2 << 20 })
    expect(grant.bytes.subarray(0, 2 << 20).every((byte) => byte === 0)).toBe(true)
    expect(grant.bytes[2 << 20]).toBe(1)
  })

  it('rejects when the file has become shorter than it said, and the grant lives on', async () => {
    const shrinking = join(folder, 'shrinking')
    writeFileSync(shrinking, content)
    const fd = openSync(shrinking, 'r')
    const filling = grant.fill({ file: fd, length: content.length })
    truncateSync(shrinking, 5000)
    const error = await rejection(filling)
    expect(error).toMatchObject({ name: 'GrantError', code: 'ERR_GRANTS_SHORT_READ' })
    closeSync(fd)
    await grant.fill({ file: path })
    expect(same(grant.bytes.subarray(0, content.length), content)).toBe(true)
  })
})

describe('fill from a stream', () => {
  it('writes chunks one after the other, from a Readable and from an async iterable', async () => {
    const chunks = [pattern(10), pattern(5000, 2), pattern(0), pattern(70_000, 3)]
    const expected = Buffer.concat(chunks)
    for (const source of [
      Readable.from(chunks, { objectMode: false }),
      (async function* () {
        yield* chunks
      })(),
    ]) {
      grant.bytes.fill(0)
      expect(await grant.fill(source, { offset: 3 })).toMatchObject({ bytes: expected.length })
      expect(same(grant.bytes.subarray(3, 3 + expected.length), expected)).toBe(true)
    }
  })

  it('stops asking a source that is too long, and tells it so', async () => {
    let asked = 0
    let told = false
    const endless = async function* () {
      try {
        for (;;) {
          asked++
          yield new Uint8Array(1 << 20)
        }
      } finally {
        told = true
      }
    }
    expect((await rejection(grant.fill(endless()))).code).toBe('ERR_OUT_OF_RANGE')
    expect(asked).toBe(5)
    await Promise.resolve()
    expect(told).toBe(true)
  })

  it('refuses chunks that are no bytes, and passes on what the source throws', async () => {
    const failure = new Error('source broke')
    expect(
      (
        await rejection(
          grant.fill(
            (async function* () {
              yield 'text' as never
            })(),
          ),
        )
      ).code,
    ).toBe('ERR_INVALID_ARG_TYPE')
    expect(
      await rejection(
        grant.fill(
          (async function* () {
            yield new Uint8Array(1)
            throw failure
          })(),
        ),
      ),
    ).toBe(failure)
    expect((await rejection(grant.fill(Readable.from(['a', 'b'])))).code).toBe('ERR_INVALID_ARG_VALUE')
  })

  it('aborts while the source is silent', async () => {
    const controller = new AbortController()
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
    const filling = grant.fill(silent, { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(filling)).toBe(reason)
  })
})

describe('createWriteStream', () => {
  it('is a Writable over the pages', async () => {
    const content = pattern(300_000)
    await pipeline(
      Readable.from([content.subarray(0, 100_000), content.subarray(100_000)]),
      grant.createWriteStream({ start: 50 }),
    )
    expect(same(grant.bytes.subarray(50, 50 + content.length), content)).toBe(true)
  })

  it('fails when more is written than fits', async () => {
    const stream = grant.createWriteStream({ start: PAGES * 4096 - 10 })
    expect((await rejection(pipeline(Readable.from([Buffer.alloc(11)]), stream))).code).toBe(
      'ERR_OUT_OF_RANGE',
    )
    expect(() => grant.createWriteStream({ start: PAGES * 4096 + 1 })).toThrow(RangeError)
  })

  it('fails once the grant is unshared', async () => {
    const stream = grant.createWriteStream()
    await grant.unshare()
    expect((await rejection(pipeline(Readable.from([Buffer.alloc(1)]), stream))).code).toBe(
      'ERR_GRANTS_UNSHARED',
    )
  })
})

describe('progress and abort', () => {
  it('a progress callback that throws ends the fill with what it threw', async () => {
    const failure = new Error('bar broke')
    const onProgress = () => {
      throw failure
    }
    expect(
      await rejection(
        grant.fill(
          (async function* () {
            yield new Uint8Array(1)
            yield new Uint8Array(1)
          })(),
          { onProgress },
        ),
      ),
    ).toBe(failure)
  })

  it('an abort before the pool has begun rejects with the reason', async () => {
    const controller = new AbortController()
    const filling = grant.fill(shared(pattern(4 << 20)), { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(filling)).toBe(reason)
    await grant.fill({ byte: 1 })
    expect(grant.bytes.every((byte) => byte === 1)).toBe(true)
  })
})
