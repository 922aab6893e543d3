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
/**
 * Memory goes in as few slices as there are threads: the C library writes past the caches, nearly twice as fast, when a
 * single copy is larger than they are. An abort waits for the slices that have begun, 40 ms at most.
 */
const MEMORY_SLICE_BYTES = 1 << 28

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

/**
 * Fills on this thread, at once, what is not worth a message to another.
 * @returns undefined when it is
 */
export function fillInPlace(
  target: FillTarget,
  source: CheckedSource,
  offset: number,
): FillResult | undefined {
  const began = performance.now()
  const length = lengthInPlace(target, source, offset)
  if (length === undefined) return undefined
  if (source.kind === 'byte') target.bytes().fill(source.byte, offset)
  else if (source.kind === 'memory') target.bytes().set(source.bytes, offset)
  return { bytes: length, slices: 1, milliseconds: performance.now() - began }
}

function lengthInPlace(target: FillTarget, source: CheckedSource, offset: number): number | undefined {
  if (source.kind === 'byte') {
    const length = target.byteLength - offset
    return length < target.inPlaceBelow ? length : undefined
  }
  if (source.kind !== 'memory') return undefined
  const { buffer, byteLength } = source.bytes
  checkFits(target, offset, byteLength)
  // A resizable buffer can shrink while another thread reads it by address.
  const resizable = (buffer as { resizable?: boolean }).resizable === true
  return resizable || byteLength < target.inPlaceBelow ? byteLength : undefined
}

export async function fill(target: FillTarget, request: CheckedFill): Promise<FillResult> {
  const began = performance.now()
  const inPlace = fillInPlace(target, request.source, request.offset)
  if (inPlace) {
    request.onProgress?.(inPlace.bytes, inPlace.bytes)
    return inPlace
  }
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
    case 'byte':
      return inPool(target, request, target.byteLength - offset, source)
    case 'memory': {
      const work: FillWork = { kind: 'memory', address: target.addressOf(source.bytes) }
      return await inPool(target, request, source.bytes.byteLength, work)
    }
  }
}

async function inPool(
  target: FillTarget,
  { source, offset, signal, onProgress }: CheckedFill,
  length: number,
  work: FillWork,
): Promise<{ bytes: number; slices: number }> {
  const range = {
    from: offset,
    to: offset + length,
    sliceBytes: sliceBytesOf(target, work, length, onProgress),
  }
  if (length > 0) {
    const { address, byteLength } = target
    const report = onProgress && ((done: number) => onProgress(done, length))
    await target.pool.run({ ...range, address, byteLength, work, signal, onProgress: report })
  }
  keepAlive(source)
  onProgress?.(length, length)
  return { bytes: length, slices: sliceCount(range) }
}

/** Whoever wants to see progress gets small slices. */
function sliceBytesOf(
  { pool }: FillTarget,
  work: FillWork,
  length: number,
  onProgress: CheckedFill['onProgress'],
): number {
  if (work.kind === 'file' || onProgress) return SLICE_BYTES
  const share = Math.ceil(length / pool.threads / SLICE_BYTES) * SLICE_BYTES
  return Math.min(Math.max(share, SLICE_BYTES), MEMORY_SLICE_BYTES)
}

/** The fillers read the caller's memory by address: it must not be collected before they are done. */
function keepAlive(_source: CheckedSource): void {}

function checkFits(target: FillTarget, offset: number, length: number): void {
  const room = target.byteLength - offset
  if (length > room)
    throw outOfRange('source', `at most ${room} bytes long, the room from offset ${offset} on`, length)
}
