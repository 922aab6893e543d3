import { Buffer } from 'node:buffer'

/** A Buffer's, which takes any Uint8Array: making a Buffer of it would cost more than copying a page. */
const { fill } = Buffer.prototype

/** From here on the detour costs less than it saves. */
const NATIVE_FROM = 8192

/**
 * Copies into shared memory as fast as C does. V8's own `set` copies word by word when either side is shared, at half to nine
 * tenths of that (at less than half on Node 24); Node's `fill` with as many bytes as there is room for is one memcpy.
 * @throws RangeError when it does not fit
 */
export function copyInto(target: Uint8Array, source: Uint8Array, at: number): void {
  const length = source.byteLength
  // memcpy takes no overlap.
  if (length < NATIVE_FROM || source.buffer === target.buffer || at + length > target.byteLength)
    target.set(source, at)
  else fill.call(target, source, at, at + length)
}

/** Long enough that a copy is as fast as it gets, short enough to stay in the processor's cache. */
const ZEROS = new Uint8Array(64 << 10)
/** Most grants are of one page. */
const ZERO_PAGE = ZEROS.subarray(0, 4096)

/**
 * Sets shared memory to zero, by copying zeros: V8 fills a SharedArrayBuffer byte by byte, which takes six times as long and
 * more. Never by repeating what is there already: a peer may write to it meanwhile.
 */
export function zero(bytes: Uint8Array): void {
  // One memcpy, as in copyInto, though these are few bytes.
  if (bytes.length === ZERO_PAGE.length) fill.call(bytes, ZERO_PAGE)
  else copyOver(bytes, ZEROS)
}

/** The same for any byte. */
export function fillByte(bytes: Uint8Array, byte: number): void {
  if (byte === 0) zero(bytes)
  else copyOver(bytes, new Uint8Array(Math.min(bytes.length, ZEROS.length)).fill(byte))
}

function copyOver(bytes: Uint8Array, pattern: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += pattern.length) {
    const left = bytes.length - at
    copyInto(bytes, left < pattern.length ? pattern.subarray(0, left) : pattern, at)
  }
}
