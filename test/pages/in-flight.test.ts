import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { InFlight } from '../../src/pages/in-flight.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('work in the pages of a grant', () => {
  it('leaves no listener on its caller’s signal, and nothing running, however it ends', async () => {
    const work = new InFlight()
    const { signal } = new AbortController()
    for (let i = 0; i < 100; i++) expect(await work.run(signal, async () => i)).toBe(i)
    await expect(work.run(signal, () => Promise.reject(new Error('broke')))).rejects.toThrow('broke')
    expect([getEventListeners(signal, 'abort').length, work.busy]).toEqual([0, false])
  })

  it('is aborted with the reason of its own signal, or of the end of the grant, and no other work is', async () => {
    const work = new InFlight()
    const stop = new AbortController()
    const reasons: unknown[] = []
    const wait = ({ signal }: AbortController): Promise<void> =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason)
          resolve()
        }),
      )
    const [one, other] = [work.run(stop.signal, wait), work.run(undefined, wait)]
    stop.abort('mine')
    await one
    expect([reasons, work.busy]).toEqual([['mine'], true])
    work.abort('all')
    await other
    expect([reasons, work.busy]).toEqual([['mine', 'all'], false])
    const late = work.run(stop.signal, async ({ signal }) => signal.reason)
    expect(await late).toBe('mine')
  })

  it('is waited for until none is left, whatever becomes of it', async () => {
    const work = new InFlight()
    const ends: (() => void)[] = []
    const start = (): void => {
      work
        .run(undefined, () => new Promise((_, reject) => ends.push(() => reject(new Error('broke')))))
        .catch(() => {})
    }
    start()
    let idle = false
    const waiting = work.idle().then(() => {
      idle = true
    })
    start()
    ends.shift()!()
    await turn()
    expect(idle).toBe(false)
    ends.shift()!()
    await waiting
    expect(work.busy).toBe(false)
  })
})
