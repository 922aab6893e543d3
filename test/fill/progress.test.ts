// What a fill says of its progress, and whether it leaves a descriptor open: with a pool that does nothing.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type FillTarget, fill } from '../../src/fill/fill.js'
import type { FillerPool, Job } from '../../src/fill/pool.js'
import { type CheckedSource, checkSource, openFile, takeOver } from '../../src/fill/source.js'

const MIB = 1 << 20
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-progress-'))
const path = join(folder, 'file')
writeFileSync(path, Buffer.alloc(3 * MIB, 'some bytes'))
afterAll(() => rmSync(folder, { recursive: true }))

function setUp(inPlaceBelow = 0, signal = new AbortController().signal) {
  const jobs: Job[] = []
  const pool = {
    run: async (job: Job) => {
      jobs.push(job)
      job.onProgress?.(1)
      job.onProgress?.(job.to - job.from)
      return []
    },
  } as unknown as FillerPool
  const buffer = new SharedArrayBuffer(4 * MIB)
  const bytes = new Uint8Array(buffer)
  const target: FillTarget = { buffer, byteLength: bytes.length, bytes: () => bytes, pool, inPlaceBelow }
  const seen: [number, number | undefined][] = []
  const start = (source: CheckedSource, offset = 0) =>
    fill(target, {
      source,
      offset,
      signal,
      onProgress: (done, total) => seen.push([done, total]),
    })
  return { start, seen, jobs, bytes }
}

const shared = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length))
const openFiles = (): number => readdirSync('/proc/self/fd').length

describe('the progress of a fill', () => {
  it.each([
    ['a byte', () => checkSource({ byte: 1 }), 4 * MIB - 5],
    ['shared memory', () => checkSource(shared(2 * MIB)), 2 * MIB],
    ['memory handed over', () => takeOver(checkSource(new Uint8Array(MIB))), MIB],
    ['a file', () => checkSource({ file: path, position: 7 }), 3 * MIB - 7],
  ])('by the pool, from %s, has the bytes of the fill as its total', async (_name, source, total) => {
    const { start, seen, jobs } = setUp()
    expect(await start(source(), 5)).toMatchObject({ bytes: total })
    expect(seen).toEqual([
      [1, total],
      [total, total],
      [total, total],
    ])
    expect(jobs).toMatchObject([{ from: 5, to: 5 + total }])
  })

  it('in place is told while it goes on, and at its end', async () => {
    const { start, seen, jobs } = setUp(8 * MIB)
    const source = new Uint8Array(4 * MIB).fill(3)
    await start(checkSource(source))
    expect(seen.at(-1)).toEqual([4 * MIB, 4 * MIB])
    for (const [done, total] of seen) expect([done % MIB, total]).toEqual([0, 4 * MIB])
    expect(jobs).toEqual([])
  })

  it('in place is told each time that the event loop turns, and an abort is heard then', async () => {
    // A millisecond between any two looks at the clock.
    let time = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => time++)
    const stop = new AbortController()
    const { start, seen, bytes } = setUp(8 * MIB, stop.signal)
    const filling = start(checkSource(new Uint8Array(4 * MIB).fill(3)))
    while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve))
    stop.abort(new Error('enough'))
    await expect(filling).rejects.toThrow('enough')
    clock.mockRestore()
    expect(seen).toEqual([
      [MIB, 4 * MIB],
      [2 * MIB, 4 * MIB],
    ])
    expect([bytes[2 * MIB - 1], bytes[2 * MIB]]).toEqual([3, 0])
  })

  it('from a stream has no total', async () => {
    const { start, seen } = setUp()
    const chunks = async function* () {
      yield new Uint8Array(10)
      yield new Uint8Array(20)
    }
    await start(checkSource(chunks()))
    expect(seen).toEqual([
      [10, undefined],
      [30, undefined],
    ])
  })
})

describe('a file', () => {
  it.each([
    ['that is read by libuv', { file: path, length: 5 }],
    ['that is read by the pool', { file: path }],
  ])('%s is closed afterwards', async (_name, source) => {
    const before = openFiles()
    await setUp().start(checkSource(source))
    expect(openFiles()).toBe(before)
  })

  it.each([
    ['a directory', { file: folder }, 'EISDIR'],
    ['shorter than asked for', { file: path, length: 4 * MIB }, 'ERR_OUT_OF_RANGE'],
    ['ended before its beginning', { file: path, position: 3 * MIB + 1 }, 'ERR_OUT_OF_RANGE'],
  ])('that is refused, being %s, is closed', async (_name, source, code) => {
    const before = openFiles()
    const checked = checkSource(source) as Extract<CheckedSource, { kind: 'file' }>
    await expect(openFile(checked)).rejects.toMatchObject({ code })
    expect(openFiles()).toBe(before)
  })

  it('has nothing from its end on, which is no mistake', async () => {
    const { start, seen } = setUp()
    expect(await start(checkSource({ file: path, position: 3 * MIB }))).toMatchObject({ bytes: 0 })
    expect(seen).toEqual([[0, 0]])
  })

  it('too long for the grant is closed', async () => {
    const before = openFiles()
    const { start } = setUp()
    await expect(start(checkSource({ file: path }), 2 * MIB)).rejects.toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
    })
    expect(openFiles()).toBe(before)
  })
})

describe('what just fits', () => {
  const stream = async function* () {
    yield new Uint8Array(MIB).fill(3)
  }
  it.each([
    ['a stream', () => checkSource(stream())],
    ['memory', () => checkSource(new Uint8Array(MIB).fill(3))],
    ['shared memory', () => checkSource(shared(MIB).fill(3))],
    ['a file', () => checkSource({ file: path, length: MIB })],
  ])('is filled from %s', async (_name, source) => {
    const { start } = setUp()
    expect(await start(source(), 3 * MIB)).toMatchObject({ bytes: MIB })
  })
})
