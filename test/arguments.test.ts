import { describe, expect, it } from 'vitest'
import { checkInteger, checkOptions, invalidArgType, invalidArgValue, outOfRange } from '../src/arguments.js'

describe('errors for arguments', () => {
  it('are worded as in Node', () => {
    expect(invalidArgType('domid', 'of type number', 'x').message).toBe(
      `The "domid" argument must be of type number. Received type string ('x')`,
    )
    expect(invalidArgType('options.limit', 'of type number', undefined).message).toBe(
      'The "options.limit" property must be of type number. Received undefined',
    )
    const received = (actual: unknown) => invalidArgType('a', 'b', actual).message.split('Received ')[1]
    expect(received(null)).toBe('null')
    expect(received(Buffer.alloc(1))).toBe('an instance of Buffer')
    expect(received(Object.create(null))).toBe('[Object: null prototype] {}')
    expect(received(parseInt)).toBe('function parseInt')
    expect(received('y'.repeat(50))).toBe(`type string ('${'y'.repeat(24)}...)`)
    expect(outOfRange('n', '>= 0 && <= 5', 2 ** 40).message).toBe(
      'The value of "n" is out of range. It must be >= 0 && <= 5. Received 1_099_511_627_776',
    )
    expect(invalidArgValue('call', 'must be one of: a, b', 'c').message).toBe(
      "The argument 'call' must be one of: a, b. Received 'c'",
    )
  })

  it('accept the ends of a range, and no fraction', () => {
    checkInteger('n', 0, 0, 5)
    checkInteger('n', 5, 0, 5)
    for (const wrong of [-1, 6, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => checkInteger('n', wrong, 0, 5)).toThrow(RangeError)
    expect(() => checkInteger('n', 3n, 0, 5)).toThrow(TypeError)
  })

  it('name the nearest option, or all when nothing is near', () => {
    const known = ['limit', 'tableCapacity']
    checkOptions<Record<string, unknown>>('options', { limit: 1 }, known)
    expect(() => checkOptions<Record<string, unknown>>('options', { tablecapacity: 1 }, known)).toThrow(
      "Did you mean 'tableCapacity'?",
    )
    expect(() => checkOptions<Record<string, unknown>>('options', { zzzzzz: 1 }, known)).toThrow(
      'Known options: limit, tableCapacity',
    )
    expect(checkOptions('options', undefined, [])).toEqual({})
    for (const wrong of [null, [], 'x'])
      expect(() => checkOptions<Record<string, unknown>>('options', wrong, known)).toThrow(TypeError)
  })
})
