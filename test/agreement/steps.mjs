import fc from 'fast-check'

/**
 * Operands are small numbers; the interpreter takes them modulo what exists, so that any sequence can be carried out.
 *
 * @param length the usual number of steps; they get fewer only when a failure is shrunk
 * @param weights how often each operation is drawn
 */
export function sequences(length, weights) {
  const operation = fc.oneof(
    ...Object.entries(weights).map(([op, weight]) => ({ weight, arbitrary: fc.constant(op) })),
  )
  const step = fc.record({ op: operation, a: fc.nat(63), b: fc.nat(63), c: fc.nat(63), d: fc.nat(4095) })
  return fc.array(step, { minLength: 1, maxLength: length, size: 'max' })
}
