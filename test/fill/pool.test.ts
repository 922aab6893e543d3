// Which threads are ended, and what is left of a job when it has settled: on a pool that does as it is told.

import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FillControl } from '../../src/fill/control.js'
import type { FillTask, FillWork } from '../../src/fill/fill-messages.js'
import { FillerPool, type Job } from '../../src/fill/pool.js'
import { useFakeTimers, useRealTimers } from '../setup/fake-timers.js'

const { FakePiscina } = vi.hoisted(() => {
  interface Running {
    task: FillTask
    options: object | undefined
    resolve(outcome: unknown): void
    reject(error: Error): void
  }
  class FakePiscina {
    static last: FakePiscina
    readonly running: Running[] = []
    readonly ended: number[] = []
    readonly threads = [11, 12, 13].map((threadId) => ({
      threadId,
      terminate: () => this.ended.push(threadId),
    }))
    destroyed = false
    constructor() {
      FakePiscina.last = this
    }
    on(): void {}
    run(task: FillTask, options: object | undefined): Promise<unknown> {
      return new Promise((resolve, reject) => this.running.push({ task, options, resolve, reject }))
    }
    async destroy(): Promise<void> {
      await new Promise((resolve) => setImmediate(resolve))
      this.destroyed = true
    }
  }
  return { FakePiscina }
})

vi.mock('piscina', () => ({ Piscina: FakePiscina }))

const PAGE = 4096
const MODULE: FillWork = {
  kind: 'module',
  url: 'x',
  args: undefined,
  grant: { id: 1, domid: 7, pages: 8, refs: new Uint32Array(8), deviceThread: 0 },
}

beforeEach(() => {
  useFakeTimers('setTimeout', 'clearTimeout', 'setInterval', 'clearInterval')
})
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left').toBe(0)
  useRealTimers()
})

/** Lets everything happen that waits for nothing. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function setUp(threads = 2) {
  const pool = new FillerPool({ threads, abortGrace: 100 })
  const start = (job: Partial<Job> = {}) => {
    const stop = new AbortController()
    const full: Job = {
      from: 0,
      to: 8 * PAGE,
      sliceBytes: PAGE,
      buffer: new SharedArrayBuffer(8 * PAGE),
      work: MODULE,
      signal: stop.signal,
      onProgress: undefined,
      ...job,
    }
    const ended = pool.run(full)
    ended.catch(() => {})
    return { stop, ended, signal: full.signal }
  }
  // Made with the first job.
  const before = FakePiscina.last
  const first = start({ work: { kind: 'byte', byte: 1 }, to: PAGE })
  while (FakePiscina.last === before || FakePiscina.last.running.length === 0) await settled()
  const piscina = FakePiscina.last
  piscina.running.shift()!.resolve({ results: [] })
  await first.ended
  return { pool, start, piscina }
}

/** As a thread does that takes a task. */
function begin({ task }: { task: FillTask }, thread: number): FillControl {
  const control = new FillControl(task.control)
  control.begin(task.slot, thread)
  return control
}

describe('a module that ignores its abort', () => {
  it('has its own threads ended after the grace, and no others', async () => {
    const { start, piscina } = await setUp(3)
    const one = start()
    await settled()
    const tasks = piscina.running.splice(0)
    expect(tasks).toHaveLength(3)
    // The third has not begun: it will find the stop.
    begin(tasks[0]!, 11)
    const control = begin(tasks[1]!, 13)
    one.stop.abort(new Error('enough'))
    expect(control.stopped).toBe(true)
    vi.advanceTimersByTime(99)
    expect(piscina.ended).toEqual([])
    // This one listens.
    tasks[0]!.resolve({ results: [] })
    await settled()
    vi.advanceTimersByTime(1)
    expect(piscina.ended).toEqual([13])
    tasks[1]!.reject(new Error('terminated'))
    tasks[2]!.resolve({ results: [] })
    await expect(one.ended).rejects.toThrow('enough')
  })

  it('ends none when it has listened in time: what runs there by then is another’s', async () => {
    const { start, piscina } = await setUp()
    const { stop, ended } = start()
    await settled()
    const tasks = piscina.running.splice(0)
    for (const [i, task] of tasks.entries()) begin(task, 11 + i)
    stop.abort(new Error('enough'))
    for (const { resolve } of tasks) resolve({ results: [] })
    await expect(ended).rejects.toThrow('enough')
    vi.advanceTimersByTime(1000)
    expect(piscina.ended).toEqual([])
  })
})

describe('a fill of ours', () => {
  it('is never ended in the middle of a write', async () => {
    const { start, piscina } = await setUp()
    const { stop, ended } = start({ work: { kind: 'byte', byte: 1 } })
    await settled()
    const tasks = piscina.running.splice(0)
    for (const [i, task] of tasks.entries()) begin(task, 11 + i)
    stop.abort(new Error('enough'))
    vi.advanceTimersByTime(10_000)
    expect(piscina.ended).toEqual([])
    for (const { resolve } of tasks) resolve({ results: [] })
    await expect(ended).rejects.toThrow('enough')
  })

  it('of memory that was handed over goes to one thread, with it', async () => {
    const { start, piscina } = await setUp()
    const bytes = new Uint8Array(8 * PAGE)
    const { ended } = start({ work: { kind: 'memory', bytes } })
    await settled()
    const tasks = piscina.running.splice(0)
    expect(tasks.map(({ options }) => options)).toEqual([{ transferList: [bytes.buffer] }])
    tasks[0]!.resolve({ results: [] })
    await ended
  })
})

describe('a job', () => {
  it('whose thread dies stops the others, and says so', async () => {
    const { start, piscina } = await setUp()
    const { ended } = start()
    await settled()
    const [one, other] = piscina.running.splice(0)
    const control = begin(one!, 11)
    expect(control.stopped).toBe(false)
    one!.reject(new Error('exited'))
    await settled()
    expect(control.stopped).toBe(true)
    other!.resolve({ results: [] })
    await expect(ended).rejects.toMatchObject({
      code: 'ERR_GRANTS_WORKER_DIED',
      cause: { message: 'exited' },
    })
  })

  it('settles only when the last of its threads has', async () => {
    const { start, piscina } = await setUp()
    const { stop, ended } = start()
    await settled()
    const [one, other] = piscina.running.splice(0)
    stop.abort(new Error('enough'))
    let over = false
    void ended.catch(() => {
      over = true
    })
    one!.resolve({ results: [] })
    await settled()
    expect(over).toBe(false)
    other!.resolve({ results: [] })
    await expect(ended).rejects.toThrow('enough')
  })

  it('reports progress when there is some, and never after it has settled', async () => {
    const { start, piscina } = await setUp(1)
    const seen: number[] = []
    const { ended, signal } = start({ onProgress: (bytes) => seen.push(bytes) })
    await settled()
    const task = piscina.running.shift()!
    const control = begin(task, 11)
    vi.advanceTimersByTime(100)
    expect(seen).toEqual([])
    control.addDone(PAGE)
    vi.advanceTimersByTime(100)
    control.addDone(PAGE)
    vi.advanceTimersByTime(50)
    expect(seen).toEqual([PAGE, 2 * PAGE])
    task.resolve({ results: [[0, 'x']] })
    expect(await ended).toEqual([[0, 'x']])
    control.addDone(PAGE)
    vi.advanceTimersByTime(1000)
    expect(seen).toHaveLength(2)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('that waits for a thread and is aborted gives its turn to the next', async () => {
    const { start, piscina } = await setUp(1)
    const jobs = [start(), start(), start()]
    await settled()
    expect(piscina.running).toHaveLength(1)
    jobs[1]!.stop.abort(new Error('enough'))
    await expect(jobs[1]!.ended).rejects.toThrow('enough')
    piscina.running.shift()!.resolve({ results: [] })
    await jobs[0]!.ended
    await settled()
    expect(piscina.running).toHaveLength(1)
    piscina.running.shift()!.resolve({ results: [] })
    await jobs[2]!.ended
  })

  it('is refused once the pool is closed, whose threads are ended', async () => {
    const { pool, start, piscina } = await setUp()
    await Promise.all([pool.close(), pool.close()])
    expect(piscina.destroyed).toBe(true)
    await expect(start().ended).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    expect(piscina.running).toEqual([])
  })
})
