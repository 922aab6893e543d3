import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { announceEnd, Lifecycle } from '../../src/threads/lifecycle.js'

describe('a service', () => {
  it('is closed once, and each close resolves with that end', async () => {
    const lifecycle = new Lifecycle()
    lifecycle.mustBeOpen()
    let ends = 0
    let finish = (): void => {}
    const end = () =>
      new Promise<void>((resolve) => {
        ends++
        finish = resolve
      })
    const closes = [lifecycle.close(end), lifecycle.close(end)]
    expect([lifecycle.closing, ends]).toEqual([true, 1])
    expect(() => lifecycle.mustBeOpen()).toThrow(/closed/)
    let closed = false
    void closes[1]!.then(() => {
      closed = true
    })
    await null
    expect(closed).toBe(false)
    finish()
    await Promise.all(closes)
  })

  it('that is lost says with what, the first time, and has nothing to close', async () => {
    const lifecycle = new Lifecycle()
    const [first, second] = [new Error('first'), new Error('second')]
    lifecycle.lose(first)
    lifecycle.lose(second)
    expect(() => lifecycle.mustBeOpen()).toThrow(first)
    await lifecycle.close(() => expect.unreachable())
    expect([lifecycle.closing, lifecycle.lost]).toEqual([false, first])
  })

  it('that is lost while it is closed still ends', async () => {
    const lifecycle = new Lifecycle()
    const closed = lifecycle.close(async () => {})
    lifecycle.lose(new Error('lost'))
    expect(lifecycle.close(() => expect.unreachable())).toBe(closed)
    await closed
  })

  it('says that it is over, and then why, if that was not asked for', async () => {
    for (const error of [undefined, new Error('died')]) {
      const service = new EventEmitter<{ close: []; error: [Error] }>()
      const heard: unknown[] = []
      service.on('close', () => heard.push('close'))
      service.on('error', (reason) => heard.push(reason))
      announceEnd(service, error)
      expect(heard).toEqual([])
      await null
      expect(heard).toEqual(error ? ['close', error] : ['close'])
    }
  })
})
