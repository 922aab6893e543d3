/*
 * V8 unmaps the memory of a SharedArrayBuffer in the thread whose garbage collector drops the last reference to it, and the
 * collector waits for that. In a client that shares and unshares thousands of pages a second this was a third of its time.
 * So the device worker, whose thread no user waits for, refers to a buffer for longer than a client's young garbage lives:
 * then the client's collector drops an object, and the worker's unmaps the memory.
 */

/** Kept at least, and at most twice: in buffers, about what a client's young generation holds of them, and in bytes. */
const COUNT = 8192
const BYTES = 64 << 20
const LARGEST = 1 << 20

/** Keeps the buffers that were ended last from being collected here. They cost address space and no memory: zero pages. */
export class Lingering {
  #young: SharedArrayBuffer[] = []
  #old: SharedArrayBuffer[] = []
  #youngBytes = 0

  get count(): number {
    return this.#young.length + this.#old.length
  }

  keep(buffer: SharedArrayBuffer): void {
    // Large ones come seldom, and would push out the many small ones.
    if (buffer.byteLength > LARGEST) return
    this.#young.push(buffer)
    this.#youngBytes += buffer.byteLength
    if (this.#young.length < COUNT && this.#youngBytes < BYTES) return
    this.#old = this.#young
    this.#young = []
    this.#youngBytes = 0
  }
}
