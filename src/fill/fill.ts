import { performance } from 'node:perf_hooks'
import { outOfRange } from '../arguments.js'
import { copyInto, fillByte } from '../memory/copy-bytes.js'
import type { FillWork } from './fill-messages.js'
import { copyInSlices, type FillRequest, fillInSlices } from './in-place.js'
import type { FillerPool } from './pool.js'
import { sliceCount } from './slices.js'
import { type CheckedSource, openFile, readFile, readToEnd } from './source.js'
import { fillFromStream } from './stream.js'

/**
 * A filler looks for an abort, reports progress and takes new work once per this many bytes. Measured (bench/fill):
 * smaller slices cost nothing down to 256 KiB, larger ones only make an abort slower.
 */
const SLICE_BYTES = 1 << 20

/** So much is done before fill() returns, in a tenth of a millisecond: less than telling another thread. */
const AT_ONCE_BELOW = 1 << 20

/** A file of so many bytes is read by libuv's threads, which costs less than telling a filler. */
const SMALL_FILE = 1 << 20

/** What a fill has done. */
export interface FillResult {
  bytes: number
  /** In how many slices the pool did it; 1 when it was done without it. */
  slices: number
  milliseconds: number
}

/** The memory to fill, and who helps. */
export interface FillTarget {
  buffer: SharedArrayBuffer
  byteLength: number
  /** The view of this thread. @throws GrantError ERR_GRANTS_UNSHARED */
  bytes(): Uint8Array
  pool: FillerPool
  inPlaceBelow: number
}

export interface CheckedFill extends FillRequest {
  source: CheckedSource
}

/**
 * Fills at once what takes no time.
 * @returns undefined when it is more than that
 */
export function fillAtOnce(
  target: FillTarget,
  source: CheckedSource,
  offset: number,
): FillResult | undefined {
  const began = performance.now()
  const length = lengthInMemory(target, source, offset)
  if (length === undefined || length > Math.min(AT_ONCE_BELOW, target.inPlaceBelow)) return undefined
  if (source.kind === 'byte') fillByte(target.bytes().subarray(offset), source.byte)
  else if (source.kind === 'memory') copyInto(target.bytes(), source.bytes, offset)
  return { bytes: length, slices: 1, milliseconds: performance.now() - began }
}

/** Of what may be copied on this thread. @throws RangeError when there is no room for it */
function lengthInMemory(target: FillTarget, source: CheckedSource, offset: number): number | undefined {
  if (source.kind === 'byte') return target.byteLength - offset
  if (source.kind !== 'memory') return undefined
  checkFits(target, offset, source.bytes.byteLength)
  return source.handedOver ? undefined : source.bytes.byteLength
}

export async function fill(target: FillTarget, request: CheckedFill): Promise<FillResult> {
  const began = performance.now()
  const { bytes, slices } = await carryOut(target, request)
  if (request.source.kind !== 'stream') request.onProgress?.(bytes, bytes)
  return { bytes, slices, milliseconds: performance.now() - began }
}

async function carryOut(
  target: FillTarget,
  request: CheckedFill,
): Promise<{ bytes: number; slices: number }> {
  const { source, offset, signal, onProgress } = request
  switch (source.kind) {
    case 'stream': {
      const report = onProgress && ((done: number) => onProgress(done, undefined))
      return { bytes: await fillFromStream(source.chunks, target.bytes, offset, signal, report), slices: 1 }
    }
    case 'file': {
      const { fd, length, close } = await openFile(source)
      try {
        if (length === undefined) {
          const bytes = await readToEnd(fd, target.bytes().subarray(offset), source.position, signal)
          return { bytes, slices: 1 }
        }
        checkFits(target, offset, length)
        if (length <= SMALL_FILE) {
          signal.throwIfAborted()
          await readFile(fd, target.bytes().subarray(offset, offset + length), source.position)
          return { bytes: length, slices: 1 }
        }
        return await inPool(target, request, length, { kind: 'file', fd, position: source.position })
      } finally {
        await close()
      }
    }
    case 'byte': {
      const length = target.byteLength - offset
      if (length >= target.inPlaceBelow) return inPool(target, request, length, source)
      await fillInSlices(target.bytes, request, source.byte, length)
      return { bytes: length, slices: 1 }
    }
    case 'memory': {
      const { bytes, handedOver } = source
      const shared = bytes.buffer instanceof SharedArrayBuffer
      if (handedOver || (shared && bytes.byteLength >= target.inPlaceBelow))
        return inPool(target, request, bytes.byteLength, { kind: 'memory', bytes })
      // An ordinary ArrayBuffer is this thread's alone: no other can read it.
      await copyInSlices(target.bytes, request, bytes)
      return { bytes: bytes.byteLength, slices: 1 }
    }
  }
}

async function inPool(
  { buffer, pool }: FillTarget,
  { offset, signal, onProgress }: CheckedFill,
  length: number,
  work: FillWork,
): Promise<{ bytes: number; slices: number }> {
  const range = { from: offset, to: offset + length, sliceBytes: SLICE_BYTES }
  if (length > 0) {
    const report = onProgress && ((done: number) => onProgress(done, length))
    await pool.run({ ...range, buffer, work, signal, onProgress: report })
  }
  return { bytes: length, slices: sliceCount(range) }
}

/** @throws RangeError */
export function checkFits(target: FillTarget, offset: number, length: number): void {
  const room = target.byteLength - offset
  if (length > room)
    throw outOfRange('source', `at most ${room} bytes long, the room from offset ${offset} on`, length)
}
