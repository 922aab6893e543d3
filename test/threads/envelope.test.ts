import { describe, expect, it } from 'vitest'
import { GrantError, systemCallError } from '../../src/errors.js'
import { fromEnvelope, toEnvelope } from '../../src/threads/envelope.js'

/** What arrives in another thread. */
const sent = (error: unknown): Error & Record<string, unknown> =>
  fromEnvelope(structuredClone(toEnvelope(error))) as Error & Record<string, unknown>

describe('an error that crosses threads', () => {
  it('keeps its causes, each with its class, code and fields', () => {
    const deepest = Object.assign(new RangeError('too far'), { code: 'ERR_FAR', limit: 3 })
    const middle = new GrantError('EINVAL', 'refused', { ref: 9, cause: deepest })
    const error = sent(new GrantError('ERR_GRANTS_WORKER_DIED', 'died', { cause: middle }))
    expect(error).toMatchObject({ name: 'GrantError', code: 'ERR_GRANTS_WORKER_DIED' })
    const cause = error.cause as typeof error
    expect(cause).toBeInstanceOf(GrantError)
    expect(cause).toMatchObject({ code: 'EINVAL', ref: 9, message: 'refused' })
    expect(cause.cause).toBeInstanceOf(RangeError)
    expect(cause.cause).toMatchObject({ message: 'too far', code: 'ERR_FAR', limit: 3 })
    expect((cause.cause as Error).stack).toBe(deepest.stack)
    expect(Object.keys(error)).not.toContain('cause')
  })

  it('keeps no more than a few causes of one that is its own', () => {
    const error = new Error('round')
    error.cause = error
    let depth = 0
    for (let at: unknown = sent(error); at instanceof Error && depth < 100; at = at.cause) depth++
    expect(depth).toBe(9)
    expect(Object.keys(toEnvelope(error).fields)).toEqual([])
  })

  it('keeps the fields of a failed system call', () => {
    const error = systemCallError(28, 'ioctl', 'allocating', { domid: 7, pages: 3, path: '/x' })
    const copy = sent(error)
    expect(copy).toBeInstanceOf(GrantError)
    expect({ ...copy, message: copy.message, stack: copy.stack }).toEqual({
      ...error,
      message: error.message,
      stack: error.stack,
    })
  })

  it('keeps its name, and the code that Node does not make enumerable', () => {
    class Own extends TypeError {}
    const error = new Own('mine')
    Object.defineProperty(error, 'name', { value: 'OwnError' })
    Object.defineProperty(error, 'code', { value: 'ERR_OWN', enumerable: false })
    const copy = sent(error)
    expect(copy).toBeInstanceOf(TypeError)
    expect(copy).toMatchObject({ name: 'OwnError', code: 'ERR_OWN', message: 'mine' })
  })

  it('loses what cannot be cloned, and no more', () => {
    const error = Object.assign(new Error('with'), {
      f: () => 1,
      o: { a: 1 },
      g: { deep: [() => 1] },
      s: Symbol('s'),
      n: null,
      b: 3n,
      t: true,
      u: undefined,
    })
    expect({ ...sent(error) }).toEqual({ o: { a: 1 }, n: null, b: 3n, t: true, u: undefined })
  })

  it.each([['text'], [undefined], [null], [7]])('is made of %j, which is none', (thrown) => {
    expect(sent(thrown)).toMatchObject({ name: 'Error', message: `thrown: ${thrown}` })
  })
})
