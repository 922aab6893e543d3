import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { copyInto, fillByte } from '../memory/copy-bytes.js'
import type { LiveBytes } from './stream.js'

/** What is copied between two looks at the clock: a tenth of a millisecond, half of one on a slow machine. */
const SLICE_BYTES = 1 << 20
/** After so many milliseconds everything else in this thread gets its turn. */
const HOLD = 0.5

/** Where to write, and who may stop it and is told how far it is. */
export interface FillRequest {
  offset: number
  signal: AbortSignal
  onProgress: ((done: number, total: number | undefined) => void) | undefined
}

/**
 * Copies on this thread without holding it up.
 * @throws TypeError when the source is detached or resized meanwhile; what `bytes` throws; the signal's reason
 */
export async function copyInSlices(
  bytes: LiveBytes,
  request: FillRequest,
  source: Uint8Array,
): Promise<void> {
  const { byteLength } = source
  await inSlices(request, byteLength, (start, end) => {
    // A view that has lost its memory has no length, and would copy nothing without a word.
    if (source.byteLength !== byteLength) throw lostSource()
    copyInto(bytes(), source.subarray(start, end), request.offset + start)
  })
}

/** The same for one value everywhere. */
export async function fillInSlices(
  bytes: LiveBytes,
  request: FillRequest,
  byte: number,
  length: number,
): Promise<void> {
  const { offset } = request
  await inSlices(request, length, (start, end) =>
    fillByte(bytes().subarray(offset + start, offset + end), byte),
  )
}

async function inSlices(
  { signal, onProgress }: FillRequest,
  length: number,
  slice: (start: number, end: number) => void,
): Promise<void> {
  signal.throwIfAborted()
  let turn = performance.now()
  for (let start = 0; start < length; start += SLICE_BYTES) {
    const end = Math.min(length, start + SLICE_BYTES)
    slice(start, end)
    if (end === length || performance.now() - turn < HOLD) continue
    onProgress?.(end, length)
    await setImmediate()
    signal.throwIfAborted()
    turn = performance.now()
  }
}

function lostSource(): TypeError {
  const message = 'the source of a fill was detached or resized before it had been copied'
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_STATE' })
}
