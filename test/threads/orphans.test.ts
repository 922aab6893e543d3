// When cleaners are started, and with what: with threads that end when they are told to.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cleanUp, handOver } from '../../src/threads/orphans.js'

interface Started {
  entry: string
  orphans: SharedArrayBuffer[]
  end(): void
  fail(error: Error): void
}
const { started } = vi.hoisted(() => ({ started: [] as Started[] }))

vi.mock('../../src/threads/device-thread.js', () => ({
  DeviceThread: {
    start: (entry: string, { orphans }: { orphans: SharedArrayBuffer[] }) =>
      new Promise<void>((resolve, reject) => started.push({ entry, orphans, end: resolve, fail: reject })),
  },
}))

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const buffers = (count: number) => Array.from({ length: count }, () => new SharedArrayBuffer(8))

afterEach(async () => {
  for (const { end } of started.splice(0)) end()
  await turn()
})

describe('what dead workers had mapped', () => {
  it('goes to one cleaner, in order, with all that comes in the same turn', async () => {
    const all = buffers(5)
    const cleaned = [cleanUp(all.slice(0, 2)), cleanUp(all.slice(2)), cleanUp([])]
    await turn()
    expect(started.map(({ entry, orphans }) => [entry, orphans.map((one) => all.indexOf(one))])).toEqual([
      ['cleaner.js', [0, 1, 2, 3, 4]],
    ])
    started[0]!.end()
    await Promise.all(cleaned)
  })

  it('that comes while a cleaner works goes to the next, when that has ended', async () => {
    const all = buffers(4)
    const first = cleanUp(all.slice(0, 1))
    await turn()
    const others = [cleanUp(all.slice(1, 3)), cleanUp(all.slice(3))]
    await turn()
    expect(started).toHaveLength(1)
    started[0]!.end()
    await first
    await turn()
    expect(started.map(({ orphans }) => orphans.length)).toEqual([1, 3])
    started[1]!.end()
    await Promise.all(others)
  })

  it('is cleaned although the cleaner before has failed, whose own are told', async () => {
    const first = cleanUp(buffers(1))
    await turn()
    const second = cleanUp(buffers(1))
    started[0]!.fail(new Error('broke'))
    await expect(first).rejects.toThrow('broke')
    await turn()
    started[1]!.end()
    await second
  })

  it('is handed over without a failure of whom it is no longer a concern', async () => {
    await handOver([], 0)
    await handOver(buffers(1), 2 ** 30)
    expect(started).toEqual([])
  })
})
