import { Buffer } from 'node:buffer'
/** Bytes travel as the numbers of a message, and how many they are as an argument or in the result. */
export function numbersOf(bytes: Uint8Array): Uint32Array {
  const numbers = new Uint32Array(Math.ceil(bytes.length / Uint32Array.BYTES_PER_ELEMENT))
  new Uint8Array(numbers.buffer).set(bytes)
  return numbers
}

/** @returns fewer than `length` bytes if the message has no more */
export function bytesOf(numbers: Uint32Array, length: number): Buffer {
  return Buffer.from(numbers.buffer, numbers.byteOffset, Math.min(length, numbers.byteLength))
}
