import { describe, expect, it } from 'vitest'
import { atTurnEnd } from '../../src/threads/turn-end.js'

describe('what is done at the end of a turn', () => {
  it('is done when the code that runs has returned, in order, before any other event', async () => {
    const done: string[] = []
    setImmediate(() => done.push('an event'))
    atTurnEnd(() => done.push('first'))
    queueMicrotask(() => done.push('second'))
    atTurnEnd(() => done.push('third'))
    expect(done).toEqual([])
    await new Promise((resolve) => setImmediate(resolve))
    expect(done).toEqual(['first', 'second', 'third', 'an event'])
  })
})
