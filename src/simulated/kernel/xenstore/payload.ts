import { Buffer } from 'node:buffer'
/**
 * What requests carry. Text is decoded as latin1, one character for each byte, so that whatever a client sends comes back
 * as it was sent.
 */

/** The number of complete strings: those that end with a NUL byte. */
export function countStrings(payload: Buffer): number {
  let count = 0
  for (const byte of payload) if (byte === 0) count++
  return count
}

/** The complete strings. Bytes after the last NUL are no string. */
export function stringsOf(payload: Buffer): string[] {
  return payload.toString('latin1').split('\0').slice(0, -1)
}

/** The only string of a payload that has exactly one NUL, at its end. */
export function onlyString(payload: Buffer): string | undefined {
  return payload.length > 0 && payload.indexOf(0) === payload.length - 1
    ? payload.toString('latin1', 0, payload.length - 1)
    : undefined
}

/** Each string with a NUL byte behind it. */
export function joinStrings(strings: readonly string[]): Buffer {
  return Buffer.from(strings.map((string) => `${string}\0`).join(''), 'latin1')
}

const LONG_MAX = 2n ** 63n - 1n

/** As C keeps it: limited to what a long holds, then the low 32 bits of that. */
function inC(value: bigint): number {
  const limited = value > LONG_MAX ? LONG_MAX : value < -LONG_MAX - 1n ? -LONG_MAX - 1n : value
  return Number(BigInt.asUintN(32, limited))
}

/** What `atoi` of C makes of it, seen as an unsigned number: what does not begin with a number is 0. */
export function looseInteger(text: string): number {
  const [, sign, digits] = /^[\t-\r ]*([+-]?)(\d+)/.exec(text) ?? []
  if (digits === undefined) return 0
  return inC(sign === '-' ? -BigInt(digits) : BigInt(digits))
}

/** Leading space, a sign, and 0x for sixteen, 0 for eight. */
const C_NUMBER = /^[\t-\r ]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/

/**
 * What `strtol` of C with base 0 makes of all of it, as the 32 bits that are kept of it.
 * @returns undefined if it is not a number up to its end
 */
export function cInteger(text: string): number | undefined {
  const [, sign, digits] = C_NUMBER.exec(text) ?? []
  if (digits === undefined) return undefined
  const magnitude = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits)
  return inC(sign === '-' ? -magnitude : magnitude)
}
