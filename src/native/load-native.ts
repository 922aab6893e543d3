import { throughGate } from './gate.js'

/** koffi calls C on a stack of its own, and copies strings and structures to a heap of its own: ours need next to nothing. */
const CALL_MEMORY = { sync_stack_size: 256 << 10, sync_heap_size: 64 << 10 }

/**
 * Loads a module that calls the C library, in a worker of this package, behind its gate.
 *
 * koffi (3.3) never gives back what it has set aside for calls, 3 MiB of address space by default for each thread that has
 * ended. So it is told to take little. Only here: in a thread of a user's, its size may matter to others.
 */
export function loadNative<T>(gate: SharedArrayBuffer, load: () => Promise<T>): Promise<T> {
  return throughGate(gate, async () => {
    const { default: koffi } = await import('koffi')
    koffi.config(CALL_MEMORY)
    return load()
  })
}
