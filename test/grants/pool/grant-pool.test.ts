// What a pool keeps alive, and when it scrubs: with grants that are no more than memory.

import { threadId } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Grant } from '../../../src/grants/grant.js'
import type { GrantWork } from '../../../src/grants/grant-work.js'
import { GrantPool } from '../../../src/grants/pool/grant-pool.js'
import { PoolControl } from '../../../src/grants/pool/pool-control.js'
import { checkPool, checkPoolHandle } from '../../../src/grants/pool/pool-options.js'
import { InFlight } from '../../../src/pages/in-flight.js'
import { useFakeTimers, useRealTimers } from '../../setup/fake-timers.js'

const OTHER = threadId + 100

function setUp(count = 1, scrub = true) {
  const control = PoolControl.create(count)
  const scrubbed: string[] = []
  const grants = Array.from({ length: count }, (_, id) => {
    const memory = new Uint8Array(4096).fill(5)
    return {
      id,
      get bytes() {
        scrubbed.push(`${id}, ${control.free} free`)
        return memory
      },
      written: memory,
      memory: new SharedArrayBuffer(4096),
      pages: 1,
      owner: true,
      live: true,
      inFlight: new InFlight(),
      onEnded() {},
      unshare: async () => {},
    }
  })
  const works = grants as unknown as GrantWork[]
  const setup = { grants: works.map((work) => new Grant(work)), scrub, opened: () => () => {} }
  const pool = new GrantPool(works, control, setup)
  return { pool, control, scrubbed, grants }
}

describe('who waits for a grant', () => {
  beforeEach(() => {
    useFakeTimers('setInterval', 'clearInterval')
  })
  afterEach(() => {
    expect(vi.getTimerCount(), 'intervals left').toBe(0)
    useRealTimers()
  })

  it('keeps the event loop alive, until there is one', async () => {
    const { pool } = setUp()
    const grant = await pool.acquire()
    expect(vi.getTimerCount()).toBe(0)
    const waiting = pool.acquire()
    await new Promise((resolve) => setImmediate(resolve))
    expect(vi.getTimerCount()).toBe(1)
    pool.release(grant)
    expect((await waiting).id).toBe(grant.id)
  })

  it.each(['signal', 'close'])('no longer keeps it alive after the %s', async (end) => {
    const { pool } = setUp()
    await pool.acquire()
    const stop = new AbortController()
    const waiting = pool.acquire({ signal: stop.signal })
    await new Promise((resolve) => setImmediate(resolve))
    if (end === 'signal') stop.abort(new Error('enough'))
    else await pool.close()
    await expect(waiting).rejects.toThrow(end === 'signal' ? 'enough' : /closed/)
  })

  it('looks again when another was quicker', async () => {
    const { pool, control } = setUp()
    await pool.acquire()
    const waiting = pool.acquire()
    await new Promise((resolve) => setImmediate(resolve))
    // Released, and taken before the waiter has had a look.
    control.give(0, threadId)
    expect(control.take(OTHER, () => true)).toBe(0)
    await new Promise((resolve) => setImmediate(resolve))
    control.give(0, OTHER)
    expect((await waiting).id).toBe(pool.grants[0]!.id)
  })
})

describe('a grant that is released', () => {
  it('is scrubbed before others can have it', async () => {
    const { pool, scrubbed, grants } = setUp()
    pool.release(await pool.acquire())
    expect([scrubbed, grants[0]!.written.every((byte) => byte === 0)]).toEqual([['0, 0 free'], true])
  })

  it('in the place of a thread that has ended is scrubbed before as well, and no other is touched', async () => {
    const { pool, control, scrubbed } = setUp(3)
    const mine = await pool.acquire()
    control.take(OTHER, () => true)
    expect(pool.reclaim(OTHER)).toBe(1)
    expect(scrubbed).toEqual(['1, 1 free'])
    expect(pool.reclaim(OTHER)).toBe(0)
    pool.release(mine)
    expect(pool.free).toBe(3)
  })

  it('is left as it is by a pool that does not scrub', async () => {
    const { pool, control, grants } = setUp(2, false)
    pool.release(await pool.acquire())
    control.take(OTHER, () => true)
    pool.reclaim(OTHER)
    for (const { written } of grants) expect(written[0]).toBe(5)
  })

  it('by a thread that no longer has it stays with the one that has', async () => {
    const { pool, control, scrubbed } = setUp()
    const grant = await pool.acquire()
    // Somebody has reclaimed it, and another has it now.
    control.give(0, threadId)
    control.take(OTHER, () => true)
    expect(() => pool.release(grant)).toThrow(expect.objectContaining({ code: 'ERR_GRANTS_UNSHARED' }))
    expect([control.heldBy(0, OTHER), scrubbed]).toEqual([true, []])
  })

  it('must have been acquired: of the pool’s own list none is in use', () => {
    const { pool } = setUp()
    expect(() => pool.release(pool.grants[0]!)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    )
  })
})

describe('bad input', () => {
  const good = { domid: 7, pages: 1, grants: 1 }
  it.each([
    [{ ...good, writeable: true }, 'ERR_INVALID_ARG_VALUE'],
    [{ ...good, scrub: 'no' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...good, signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...good, grants: 2 ** 20 + 1 }, 'ERR_OUT_OF_RANGE'],
    [{ ...good, grants: 1.5 }, 'ERR_OUT_OF_RANGE'],
  ])('of a pool, %j, is refused', (options, code) => {
    expect(() => checkPool(options)).toThrow(expect.objectContaining({ code }))
  })

  it.each([
    { type: 'xen-grants.poll' },
    { control: new ArrayBuffer(8) },
    { grants: 3 },
    { scrub: undefined },
  ])('of a handle, %j, is refused', (change) => {
    const handle = { type: 'xen-grants.pool', control: new SharedArrayBuffer(8), grants: [], scrub: true }
    expect(checkPoolHandle(handle)).toEqual(handle)
    const wrong = () => checkPoolHandle({ ...handle, ...change })
    expect(wrong).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
  })

  it('of acquire is refused, and no grant is taken', async () => {
    const { pool } = setUp()
    for (const options of [{ signl: 1 }, { signal: {} }, 3])
      await expect(pool.acquire(options as never)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_INVALID_ARG/),
      })
    expect(pool.free).toBe(1)
  })
})
