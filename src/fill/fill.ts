import { performance } from 'node:perf_hooks'
import { outOfRange } from '../arguments.js'
import type { FillWork } from '../protocol/messages.js'
import type { FillerPool } from './pool.js'
import { sliceCount } from './slices.js'
import { type CheckedSource, openFile } from './source.js'
import { fillFromStream } from './stream.js'

/**
 * A filler looks for an abort, reports progress and takes new work once per this many bytes. Measured (bench/fill):
 * smaller slices cost nothing down to 256 KiB, larger ones only make an abort slower.
 */
const SLICE_BYTES = 1 << 20

export interface FillResult {
  bytes: number
  /** In how many slices the pool did it; 1 when it was done in place. */
  slices: number
  milliseconds: number
}

/** The memory to fill, and who helps. */
export interface FillTarget {
  address: number
  byteLength: number
  /** The view of this thread. @throws GrantError ERR_GRANTS_UNSHARED */
  bytes(): Uint8Array
  pool: FillerPool
  inPlaceBelow: number
  addressOf(bytes: Uint8Array): number
}

export interface CheckedFill {
  source: CheckedSource
  offset: number
  signal: AbortSignal
  onProgress: ((done: number, total: number | undefined) => void) | undefined
}

export async function fill(target: FillTarget, request: CheckedFill): Promise<FillResult> {
  const began = performance.now()
  const { bytes, slices } = await carryOut(target, request)
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
        checkFits(target, offset, length)
        return await inPool(target, request, length, { kind: 'file', fd, position: source.position })
      } finally {
        await close()
      }
    }
    case 'byte': {
      const length = target.byteLength - offset
      if (length < target.inPlaceBelow) {
        target.bytes().fill(source.byte, offset)
        onProgress?.(length, length)
        return { bytes: length, slices: 1 }
      }
      return inPool(target, request, length, source)
    }
    case 'memory': {
      const { bytes } = source
      checkFits(target, offset, bytes.byteLength)
      // A resizable buffer can shrink while another thread reads it by address.
      const resizable = (bytes.buffer as { resizable?: boolean }).resizable === true
      if (resizable || bytes.byteLength < target.inPlaceBelow) {
        target.bytes().set(bytes, offset)
        onProgress?.(bytes.byteLength, bytes.byteLength)
        return { bytes: bytes.byteLength, slices: 1 }
      }
      return await inPool(target, request, bytes.byteLength, memoryWork(target, bytes))
    }
  }
}

function memoryWork(target: FillTarget, bytes: Uint8Array): FillWork {
  const { buffer, byteOffset, byteLength: length } = bytes
  if (buffer instanceof SharedArrayBuffer) return { kind: 'shared', buffer, byteOffset, length }
  return { kind: 'memory', address: target.addressOf(bytes), length }
}

async function inPool(
  target: FillTarget,
  { source, offset, signal, onProgress }: CheckedFill,
  length: number,
  work: FillWork,
): Promise<{ bytes: number; slices: number }> {
  const range = { from: offset, to: offset + length, sliceBytes: SLICE_BYTES }
  if (length > 0) {
    const { address, byteLength } = target
    const report = onProgress && ((done: number) => onProgress(done, length))
    await target.pool.run({ ...range, address, byteLength, work, signal, onProgress: report })
  }
  keepAlive(source)
  onProgress?.(length, length)
  return { bytes: length, slices: sliceCount(range) }
}

/** The fillers read the caller's memory by address: it must not be collected before they are done. */
function keepAlive(_source: CheckedSource): void {}

function checkFits(target: FillTarget, offset: number, length: number): void {
  const room = target.byteLength - offset
  if (length > room)
    throw outOfRange('source', `at most ${room} bytes long, the room from offset ${offset} on`, length)
}
