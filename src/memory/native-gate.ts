/**
 * Keeps a thread's end from meeting a child thread inside koffi.
 *
 * When Node stops worker threads (the process exits, naturally or by process.exit) while one of them loads a native
 * module or makes a view, N-API refuses the call half-way, and koffi answers by aborting the whole process. So child
 * threads pass this gate around such calls, and the parent closes it in its 'exit' event and waits until they are out.
 *
 * Int32 fields of shared memory.
 */
const Field = { closed: 0, inside: 1 } as const

/** How long an ending thread waits for its children, in milliseconds. Loading takes about ten. */
const PATIENCE = 2000

let ownGate: SharedArrayBuffer | undefined

/** The gate of this thread's children, made when first asked for. */
export function gateOfThisThread(): SharedArrayBuffer {
  if (!ownGate) {
    const gate = new SharedArrayBuffer(8)
    ownGate = gate
    process.once('exit', () => closeGate(gate))
  }
  return ownGate
}

/** No child gets in any more; returns when those inside are out. */
export function closeGate(gate: SharedArrayBuffer): void {
  const fields = new Int32Array(gate)
  Atomics.store(fields, Field.closed, 1)
  const deadline = Date.now() + PATIENCE
  for (
    let inside = Atomics.load(fields, Field.inside);
    inside > 0;
    inside = Atomics.load(fields, Field.inside)
  ) {
    if (Atomics.wait(fields, Field.inside, inside, deadline - Date.now()) === 'timed-out') return
  }
}

/** In a child: waits for ever once the gate is closed, since this thread is about to be stopped. */
export async function throughGate<T>(gate: SharedArrayBuffer, native: () => T | Promise<T>): Promise<T> {
  const fields = new Int32Array(gate)
  Atomics.add(fields, Field.inside, 1)
  try {
    // Sequentially consistent: either we see the gate closed, or whoever closes it sees us inside.
    if (Atomics.load(fields, Field.closed) === 0) return await native()
  } finally {
    Atomics.sub(fields, Field.inside, 1)
    Atomics.notify(fields, Field.inside)
  }
  return new Promise(() => {})
}
