import process from 'node:process'
import { GrantError } from '../errors.js'
import { throughGate } from './gate.js'

/** koffi calls C on a stack of its own, and copies strings and structures to a heap of its own: ours need next to nothing. */
const CALL_MEMORY = { sync_stack_size: 256 << 10, sync_heap_size: 64 << 10 }

/**
 * Loads a module that calls the C library, in a worker of this package, behind its gate.
 *
 * koffi (3.3) never gives back what it has set aside for calls, 3 MiB of address space by default for each thread that has
 * ended. So it is told to take little. Only here: in a thread of a user's, its size may matter to others.
 *
 * @throws GrantError ERR_GRANTS_UNSUPPORTED when koffi has no binary for this machine, or it has not been installed
 */
export function loadNative<T>(gate: SharedArrayBuffer, load: () => Promise<T>): Promise<T> {
  return throughGate(gate, async () => {
    const koffi = await loadKoffi()
    koffi.config(CALL_MEMORY)
    return load()
  })
}

async function loadKoffi() {
  try {
    return (await import('koffi')).default
  } catch (cause) {
    const where = `${process.platform}-${process.arch}`
    const what = `koffi, which calls the C library, cannot be loaded here (${where}): ${(cause as Error).message}`
    const advice = 'Install it with its optional dependencies, on this kind of machine: npm install koffi'
    throw new GrantError('ERR_GRANTS_UNSUPPORTED', `${what}. ${advice}`, { cause })
  }
}
