const WORD = 2 ** 32

/**
 * Offsets in a device file, and addresses: 64 bits in the structs of ioctls. By halves, since V8 makes a BigInt of 64, which takes longer
 * than the rest of a struct. setUint32 takes a number modulo 2^32, without its fraction.
 */
export function setOffset(struct: DataView, at: number, offset: number): void {
  struct.setUint32(at, offset, true)
  struct.setUint32(at + 4, offset / WORD, true)
}

/** @returns no safe integer from 2^53 on */
export function getOffset(struct: DataView, at: number): number {
  return struct.getUint32(at + 4, true) * WORD + struct.getUint32(at, true)
}
