import { expect, it } from 'vitest'
import { assertNode, otherRuntime } from '../../src/native/runtime.js'

it.each([
  [{ node: '24.0.0', bun: '1.4.4' }, 'Bun 1.4.4'],
  [{ node: '24.0.0', deno: '2.9.6' }, 'Deno 2.9.6'],
  [{ node: '24.0.0', electron: '45.5.0' }, undefined],
])('%j is %s', (versions, other) => {
  expect(otherRuntime(versions)).toBe(other)
})

it('what is not Node is refused by name, Node is not', () => {
  expect(() => assertNode('Bun 1.4.4')).toThrow(
    expect.objectContaining({
      code: 'ERR_GRANTS_UNSUPPORTED',
      message: expect.stringMatching(/this is Bun 1\.4\.4/),
    }),
  )
  expect(() => assertNode()).not.toThrow()
})
