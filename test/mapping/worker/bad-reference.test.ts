import { describe, expect, it } from 'vitest'
import { GrantError } from '../../../src/errors.js'
import { cannotMap } from '../../../src/mapping/worker/bad-reference.js'

const names = (count: number): Uint32Array =>
  Uint32Array.from(Array.from({ length: count }, (_, i) => [3, 8 + i]).flat())
const refused = new GrantError('EINVAL', 'refused', { errno: -22, syscall: 'mmap' })

/** Which reference is blamed when these cannot be mapped, and how many tries that took. */
function search(count: number, bad: number[], error: unknown = refused) {
  let tries = 0
  const found = cannotMap('/dev/fake', names(count), false, error, (some) => {
    tries++
    return some.every((number, i) => i % 2 === 0 || !bad.includes(number - 8))
  })
  return { found: found as GrantError, tries }
}

describe('a batch that cannot be mapped', () => {
  it('is blamed on the first reference that is bad, wherever it is', () => {
    for (const count of [1, 2, 3, 5, 8])
      for (let bad = 0; bad < count; bad++) {
        const { found } = search(count, [bad, count - 1])
        expect(found).toMatchObject({ code: 'EINVAL', errno: -22, ref: 8 + bad, domid: 3, pages: count })
        expect(found.path).toBe('/dev/fake')
      }
  })

  it('is looked through in halves', () => {
    expect(search(1024, [777]).tries).toBeLessThanOrEqual(11)
  })

  it('is blamed on none when all can be mapped by then: something else had been short', () => {
    for (const count of [1, 4, 5]) expect(search(count, []).found).toBe(refused)
  })

  it('is not looked through for what is no fault of a reference', () => {
    for (const error of [
      new GrantError('ENOMEM', 'short', { syscall: 'mmap' }),
      new GrantError('EINVAL', 'too many', { syscall: 'ioctl' }),
      new Error('a bug'),
    ]) {
      const { found, tries } = search(4, [1], error)
      expect([found, tries]).toEqual([error, 0])
    }
  })

  it('is reported as it failed first when the search fails', () => {
    const found = cannotMap('/dev/fake', names(4), false, refused, () => {
      throw new GrantError('ENOMEM', 'short')
    })
    expect(found).toBe(refused)
  })

  it('says that it was to be written to', () => {
    const message = (writable: boolean): string =>
      (cannotMap('/dev/fake', names(1), writable, refused, () => false) as Error).message
    expect(message(true)).toContain('not granted for writing')
    expect(message(false)).not.toContain('writing')
  })
})
