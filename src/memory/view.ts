import koffi from 'koffi'
import { PAGE_SIZE } from '../abi.js'
import { checkInteger, outOfRange } from '../arguments.js'

/** User space of x86-64 and arm64 Linux ends here; also far below Number.MAX_SAFE_INTEGER. */
const ADDRESS_END = 2 ** 47
/** Node aborts the process on an external buffer beyond what V8 can index. */
const LENGTH_MAX = 2 ** 32

/**
 * A view of mapped memory, without copy. The one place where an address becomes a view.
 *
 * The view is this thread's alone and does not keep the memory mapped: whoever unmaps must {@link detach} it first,
 * or the next touch ends the process. Cloning it copies its bytes; transferring it copies (Node 20) or throws.
 *
 * @param address page-aligned
 * @param length in bytes, at most 4 GiB
 * @throws TypeError, RangeError
 */
export function viewOf(address: number, length: number): Uint8Array<ArrayBuffer> {
  // Everything is checked first: koffi aborts the process on a null address and on an absurd length.
  checkInteger('address', address, PAGE_SIZE, ADDRESS_END - 1)
  if (address % PAGE_SIZE !== 0) throw outOfRange('address', `a multiple of ${PAGE_SIZE}`, address)
  checkInteger('length', length, 1, Math.min(LENGTH_MAX, ADDRESS_END - address))
  return new Uint8Array(koffi.view(BigInt(address), length))
}

/**
 * Makes every view over the same buffer inert in this thread: length 0, reads undefined, writes ignored. The memory
 * itself is not touched.
 */
export function detach(bytes: Uint8Array): void {
  const buffer: Transferable = bytes.buffer
  if (buffer.byteLength === 0) return
  if (buffer.transfer) buffer.transfer(0)
  else detachByStream(new Uint8Array(bytes.buffer))
  if (buffer.byteLength !== 0) {
    throw new Error('a view over mapped memory could not be detached: unmapping now would crash the process')
  }
}

/** ArrayBuffer.prototype.transfer came with Node 22. */
type Transferable = ArrayBufferLike & { transfer?(length: number): ArrayBuffer }

/**
 * Node 20: postMessage clones external memory instead of detaching it, but a byte stream takes ownership of the buffer
 * of an enqueued chunk, synchronously.
 */
function detachByStream(bytes: Uint8Array): void {
  const stream = new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(bytes) })
  void stream.cancel()
}

/** Address of a caller's own memory. It must stay referenced, attached and unresized while the address is in use. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes))
}
