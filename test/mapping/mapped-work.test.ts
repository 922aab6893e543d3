// A mapping in its client's thread, with a worker that answers when it is told to.
import { describe, expect, it } from 'vitest'
import { closedError, diedError } from '../../src/errors.js'
import { FillMeter } from '../../src/fill/meter.js'
import type { Job } from '../../src/fill/pool.js'
import type { MapService } from '../../src/mapping/map-messages.js'
import type { MappedContext } from '../../src/mapping/mapped-context.js'
import { MappedWork } from '../../src/mapping/mapped-work.js'
import type { ServiceLine } from '../../src/threads/service-client.js'

const PAGE = 4096

function setUp({ status = false, writable = true } = {}) {
  const calls: { args: unknown[]; resolve: () => void; reject: (error: Error) => void }[] = []
  const line = {
    call: (...args: unknown[]) =>
      new Promise<void>((resolve, reject) => calls.push({ args, resolve, reject })),
  } as unknown as ServiceLine<MapService>
  const jobs: Job[] = []
  const fillers = {
    run: async (job: Job) => {
      jobs.push(job)
      job.onProgress?.(PAGE)
      return [
        [1, 'second'],
        [0, 'first'],
      ]
    },
  }
  const context = {
    line,
    fillers,
    mapped: new Set(),
    inPlaceBelow: 0,
    meter: new FillMeter(),
  } as unknown as MappedContext
  const page = new SharedArrayBuffer(PAGE)
  const work = new MappedWork(
    {
      id: 4,
      names: Uint32Array.of(3, 8, 5, 9),
      buffer: new SharedArrayBuffer(2 * PAGE),
      status: status ? page : undefined,
      writable,
      port: undefined,
    },
    context,
  )
  return { work, calls, context, page, jobs }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a mapping', () => {
  it('knows whose pages it has', () => {
    const { work, context } = setUp()
    expect([[...work.refs], [...work.domids], work.pages, context.mapped.size]).toEqual([
      [8, 9],
      [3, 5],
      2,
      1,
    ])
  })

  it('drops its memory when it is unmapped, and not before', async () => {
    const { work, calls, context } = setUp({ status: true })
    const unmapped = work.unmap()
    await turn()
    expect([work.bytes.length, work.memory.byteLength, work.orphans.length]).toEqual([0, 2 * PAGE, 2])
    calls.shift()!.resolve()
    await unmapped
    expect([work.memory.byteLength, work.orphans.map(({ byteLength }) => byteLength)]).toEqual([0, [0]])
    expect(context.mapped.size).toBe(0)
    await work.unmap()
    expect(calls).toEqual([])
  })

  it('is unmapped once, and again when that has failed', async () => {
    const { work, calls, context } = setUp()
    const asked = [work.unmap(), work.unmap({ force: true }), work.unmap()]
    await turn()
    expect(calls.map(({ args }) => args)).toEqual([['unmap', 4]])
    calls.shift()!.reject(new Error('refused'))
    for (const one of asked) await expect(one).rejects.toThrow('refused')
    expect([work.bytes.length, work.memory.byteLength, context.mapped.size]).toEqual([0, 2 * PAGE, 1])
    const again = work.unmap()
    await turn()
    calls.shift()!.resolve()
    await again
    expect(context.mapped.size).toBe(0)
  })

  it('waits for what runs in it, unless it is forced', async () => {
    const { work, calls } = setUp()
    let aborted: unknown
    const running = work.inFlight.run(undefined, ({ signal }) => {
      signal.addEventListener('abort', () => {
        aborted = signal.reason
      })
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    })
    const orderly = work.unmap()
    await turn()
    expect(calls).toEqual([])
    const forced = work.unmap({ force: true })
    await running
    await turn()
    expect(aborted).toMatchObject({ code: 'ERR_GRANTS_UNSHARED' })
    calls.shift()!.resolve()
    await Promise.all([orderly, forced])
  })

  it.each([
    ['the death of its worker', diedError()],
    ['a close', closedError()],
  ])('that is lost by %s says so from then on, and an unmap that waits is content', async (_name, reason) => {
    const { work, calls, context, page } = setUp({ status: true })
    expect(work.orphans).toEqual([work.memory, page])
    const unmapped = work.unmap()
    await turn()
    work.lost(reason)
    calls.shift()!.reject(reason)
    await unmapped
    expect(() => work.mustBeUsable()).toThrow(reason)
    expect([work.memory.byteLength, context.mapped.size]).toEqual([0, 0])
  })

  it('is run over by the pool: results come in order, and progress has a total', async () => {
    const { work, jobs } = setUp({ writable: false })
    const seen: unknown[] = []
    const options = { sliceBytes: PAGE, args: 5, onProgress: (progress: object) => seen.push(progress) }
    expect(await work.run('file:///x.mjs', options)).toEqual(['first', 'second'])
    expect(seen).toEqual([{ bytes: PAGE, total: 2 * PAGE }])
    expect(jobs).toMatchObject([
      { from: 0, to: 2 * PAGE, sliceBytes: PAGE, work: { kind: 'module', args: 5 } },
    ])
  })

  it('for reading is written to by nobody', async () => {
    const { work } = setUp({ writable: false })
    await expect(work.fill({ byte: 1 }, undefined)).rejects.toMatchObject({ code: 'EACCES' })
    expect(() => work.createWriteStream(undefined)).toThrow(expect.objectContaining({ code: 'EACCES' }))
    expect(work.read(undefined)).toHaveLength(2 * PAGE)
  })

  it.each([
    [{ forced: true }, 'ERR_INVALID_ARG_VALUE'],
    [{ force: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses to be unmapped with %j', async (options, code) => {
    const { work, calls } = setUp()
    await expect(work.unmap(options as never)).rejects.toMatchObject({ code })
    expect([calls, work.bytes.length]).toEqual([[], 2 * PAGE])
  })
})
