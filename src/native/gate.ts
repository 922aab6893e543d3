import process from 'node:process'
import { setInterval } from 'node:timers'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Keeps the end of a thread from meeting it inside koffi.
 *
 * When Node stops a worker thread while it loads a native module or makes a view, N-API refuses the call half-way, and
 * koffi answers by aborting the whole process. So threads of ours pass a gate around such calls; a thread that is about to
 * stop them closes the gate and waits until they are out. The exit of the process stops them too, naturally or by
 * process.exit(), so all gates are closed in its 'exit' event.
 *
 * Int32 fields of shared memory.
 */
const Field = { closed: 0, inside: 1 } as const

/** How long an ending process waits for its threads, in milliseconds. Loading takes about ten. */
const PATIENCE = 2000

const open = new Set<SharedArrayBuffer>()
let listening = false

/** A gate for threads that this thread is about to start. */
export function createGate(): SharedArrayBuffer {
  const gate = new SharedArrayBuffer(8)
  open.add(gate)
  // Before whatever else is done at the end, which may take something away that those inside need.
  if (!listening) process.prependOnceListener('exit', closeAll)
  listening = true
  return gate
}

function closeAll(): void {
  const deadline = Date.now() + PATIENCE
  for (const gate of open) Atomics.store(new Int32Array(gate), Field.closed, 1)
  for (const gate of open) {
    const fields = new Int32Array(gate)
    for (let inside = insideOf(fields); inside > 0; inside = insideOf(fields)) {
      if (Atomics.wait(fields, Field.inside, inside, deadline - Date.now()) === 'timed-out') return
    }
  }
}

/** No thread gets in any more; resolves when those inside are out. */
export async function closeGate(gate: SharedArrayBuffer): Promise<void> {
  const fields = new Int32Array(gate)
  Atomics.store(fields, Field.closed, 1)
  const deadline = Date.now() + PATIENCE
  // A timer, since a pending Atomics.waitAsync does not keep the event loop alive.
  while (insideOf(fields) > 0 && Date.now() < deadline) await delay(1)
  open.delete(gate)
}

function insideOf(fields: Int32Array): number {
  return Atomics.load(fields, Field.inside)
}

/** In a thread that may be stopped: waits for ever once the gate is closed, since the end is near. */
export async function throughGate<T>(gate: SharedArrayBuffer, native: () => T | Promise<T>): Promise<T> {
  const fields = new Int32Array(gate)
  Atomics.add(fields, Field.inside, 1)
  try {
    // Sequentially consistent: either we see the gate closed, or the thread that closes it sees us inside.
    if (Atomics.load(fields, Field.closed) === 0) return await native()
  } finally {
    Atomics.sub(fields, Field.inside, 1)
    Atomics.notify(fields, Field.inside)
  }
  // Something to wait for: a thread with nothing left to do would end by itself, and Node warn of its unsettled await.
  setInterval(() => {}, 2 ** 30)
  return new Promise(() => {})
}
