import fc from 'fast-check'

/**
 * How often each operation is drawn. An operation whose operands do not exist does nothing, so those that make things
 * come more often than those that need them.
 */
const WEIGHTS = {
  open: 2,
  allocate: 7,
  mmap: 6,
  write: 4,
  peerMap: 6,
  peerWrite: 2,
  setUnmapNotify: 6,
  munmap: 4,
  replaceMapping: 2,
  deallocate: 5,
  peerUnmap: 3,
  compareMemory: 2,
  canMap: 2,
  setLimit: 2,
  events: 1,
  close: 1,
}

const operation = fc.oneof(
  ...Object.entries(WEIGHTS).map(([op, weight]) => ({ weight, arbitrary: fc.constant(op) })),
)

/** Operands are small numbers; the interpreter takes them modulo what exists, so that any sequence can be carried out. */
const step = fc.record({ op: operation, a: fc.nat(63), b: fc.nat(63), c: fc.nat(63), d: fc.nat(4095) })

/** @param length the usual number of steps; they get fewer only when a failure is shrunk */
export function sequences(length) {
  return fc.array(step, { minLength: 1, maxLength: length, size: 'max' }).map((steps) => [
    // Every sequence begins with something to work on.
    { op: 'open', a: 0, b: 0, c: 0, d: 0 },
    ...steps,
  ])
}
