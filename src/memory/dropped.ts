import { readFileSync } from 'node:fs'
import { collector } from './collector.js'

/*
 * The memory of grants that have ended, as far as this thread had referred to it.
 *
 * V8 gives address space back when the last thread has collected its objects for it, and for what a SharedArrayBuffer
 * occupies it sees no reason to collect any. With nothing else allocated, 5000 grants of 16 MiB took 27 GiB of address space
 * until then (no memory: it is all zero pages). So every thread that drops such buffers counts them, and has V8 collect when
 * there are many.
 */

/** A thread that has dropped so many bytes looks whether they are still there. */
const LOOK_AFTER = 2 ** 30
/** When the process has grown by so much, the thread's young garbage is collected: about a millisecond. */
const MINOR_AFTER_GROWTH = 2 ** 30
/** When that did not help, all of it is: milliseconds per 10 MB of live objects. */
const MAJOR_AFTER_GROWTH = 2 ** 31

let droppedBytes = 0
/** Of the process, at its smallest or after the last collection that could not make it smaller. */
let base = 0

/** This thread no longer refers to memory of so many bytes. */
export function dropped(bytes: number): void {
  base ||= addressSpace()
  droppedBytes += bytes
  if (droppedBytes < LOOK_AFTER) return
  droppedBytes = 0
  if (grown() < MINOR_AFTER_GROWTH) return
  const collect = collector()
  collect({ type: 'minor' })
  if (grown() < MAJOR_AFTER_GROWTH) return
  collect({ type: 'major' })
  // What is left is in use, or another thread's to collect.
  base = addressSpace()
}

function grown(): number {
  const size = addressSpace()
  base = Math.min(base, size)
  return size - base
}

/** Of the process, in bytes. */
function addressSpace(): number {
  return Number.parseInt(readFileSync('/proc/self/statm', 'latin1'), 10) * 4096
}
