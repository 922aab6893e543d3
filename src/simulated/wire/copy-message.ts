import { GNTCOPY_DEST_GREF, GNTCOPY_SOURCE_GREF } from '../../abi.js'
import type { CopySegment, CopySide } from '../../drivers/gntdev/map-device.js'
import { MAX_MESSAGE, protocolError } from './codec.js'

/**
 * A grant copy as it travels in the numbers of a message: for each piece the flags, both sides and the length, then the
 * bytes of the sides that are local, padded to words. Memory of another process is out of the host's reach.
 */
export interface CopyPiece {
  readonly flags: number
  readonly source: GrantSide
  readonly target: GrantSide
  /** What is copied. Filled in by the copy unless it comes from a local source. */
  readonly bytes: Uint8Array
}

/** Meaningless for a local side. */
export interface GrantSide {
  readonly domid: number
  readonly ref: number
  readonly offset: number
}

const HEAD = 8
const WORD = 4

export function isGrant(flags: number, side: number): boolean {
  return (flags & side) !== 0
}

/** In the caller's process. */
export function encodeCopy(segments: readonly CopySegment[]): Uint32Array {
  const words = segments.reduce((sum, segment) => sum + HEAD + sourceWords(segment), 0)
  const numbers = new Uint32Array(words)
  let at = 0
  for (const { source, target, length } of segments) {
    const flags = ('ref' in source ? GNTCOPY_SOURCE_GREF : 0) | ('ref' in target ? GNTCOPY_DEST_GREF : 0)
    numbers.set([flags, length, ...sideNumbers(source), ...sideNumbers(target)], at)
    at += HEAD
    if ('ref' in source) continue
    new Uint8Array(numbers.buffer, at * WORD, length).set(
      new Uint8Array(source.buffer, source.offset, length),
    )
    at += wordsOf(length)
  }
  return numbers
}

/** In the host. @throws GrantError ERR_GRANTS_PROTOCOL */
export function decodeCopy(numbers: Uint32Array): CopyPiece[] {
  const pieces: CopyPiece[] = []
  let total = 0
  for (let at = 0; at < numbers.length; ) {
    const [flags = 0, length = 0, ...sides] = numbers.subarray(at, at + HEAD)
    if (sides.length !== HEAD - 2) throw protocolError('a copy that ends too early')
    at += HEAD
    const [domid = 0, ref = 0, offset = 0] = sides
    const [targetDomid = 0, targetRef = 0, targetOffset = 0] = sides.slice(3)
    const local = !isGrant(flags, GNTCOPY_SOURCE_GREF)
    if (length > 0xffff || (local && at + wordsOf(length) > numbers.length))
      throw protocolError(`a copy of ${length} bytes, more than it brings`)
    // A piece between two grants is short itself, however much it copies.
    total += length
    if (total > MAX_MESSAGE) throw protocolError(`a copy of more than ${MAX_MESSAGE} bytes`)
    const bytes = new Uint8Array(length)
    if (local) {
      bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset + at * WORD, length))
      at += wordsOf(length)
    }
    const target = { domid: targetDomid, ref: targetRef, offset: targetOffset }
    pieces.push({ flags, source: { domid, ref, offset }, target, bytes })
  }
  return pieces
}

/** In the host: the statuses, then the bytes for the local targets of pieces that went well. */
export function encodeCopied(pieces: readonly CopyPiece[], statuses: readonly number[]): Uint32Array {
  const answered = pieces.filter(({ flags }, i) => statuses[i] === 0 && !isGrant(flags, GNTCOPY_DEST_GREF))
  const words = answered.reduce((sum, { bytes }) => sum + wordsOf(bytes.length), statuses.length)
  const numbers = new Uint32Array(words)
  numbers.set(statuses)
  let at = statuses.length
  for (const { bytes } of answered) {
    new Uint8Array(numbers.buffer, at * WORD).set(bytes)
    at += wordsOf(bytes.length)
  }
  return numbers
}

/** In the caller's process again. @returns the statuses */
export function decodeCopied(segments: readonly CopySegment[], numbers: Uint32Array): Int16Array {
  const statuses = Int16Array.from(numbers.subarray(0, segments.length))
  let at = segments.length
  for (const [i, { target, length }] of segments.entries()) {
    if ('ref' in target || statuses[i] !== 0) continue
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset + at * WORD, length)
    new Uint8Array(target.buffer, target.offset, length).set(bytes)
    at += wordsOf(length)
  }
  return statuses
}

function sideNumbers(side: CopySide): [number, number, number] {
  return 'ref' in side ? [side.domid, side.ref, side.offset] : [0, 0, 0]
}

function sourceWords({ source, length }: CopySegment): number {
  return 'ref' in source ? 0 : wordsOf(length)
}

function wordsOf(length: number): number {
  return Math.ceil(length / WORD)
}
