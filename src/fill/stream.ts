import type { Buffer } from 'node:buffer'
import { Writable } from 'node:stream'
import { untilAborted } from '../abort.js'
import { checkInteger, invalidArgType, outOfRange } from '../arguments.js'
import { GrantError } from '../errors.js'
import { copyInto } from '../memory/copy-bytes.js'

/** Gives the live view of the grant, or throws because it has been unshared. */
export type LiveBytes = () => Uint8Array

/** Copies chunks as they come. Each is written before the next is asked for. @returns bytes written */
export async function fillFromStream(
  chunks: AsyncIterable<unknown>,
  bytes: LiveBytes,
  offset: number,
  signal: AbortSignal,
  onProgress: ((done: number) => void) | undefined,
): Promise<number> {
  let at = offset
  const iterator = chunks[Symbol.asyncIterator]()
  let finished = false
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), signal)
      if (next.done) {
        finished = true
        return at - offset
      }
      at = writeChunk(next.value, bytes(), at)
      onProgress?.(at - offset)
    }
  } finally {
    // Tells the source that no more is read; its own answer to that is not what went wrong here.
    if (!finished) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

/** @returns where the next chunk goes */
function writeChunk(chunk: unknown, bytes: Uint8Array, at: number): number {
  if (!(chunk instanceof Uint8Array))
    throw invalidArgType('chunk', 'an instance of Uint8Array or Buffer', chunk)
  const end = at + chunk.byteLength
  if (end > bytes.byteLength) {
    throw outOfRange(
      'source',
      `at most ${bytes.byteLength} bytes long together with its offset, the size of the grant`,
      end,
    )
  }
  copyInto(bytes, chunk, at)
  return end
}

/** Which part of the pages to write. */
export interface WriteStreamOptions {
  /** Where in the grant to begin, in bytes. Default 0. */
  start?: number | undefined
}

/** Errors with ERR_OUT_OF_RANGE when more is written than fits, with ERR_GRANTS_UNSHARED when the grant goes. */
export function writeStreamOver(
  bytes: LiveBytes,
  byteLength: number,
  { start = 0 }: WriteStreamOptions,
): Writable {
  checkInteger('options.start', start, 0, byteLength)
  let at = start
  return new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, callback) {
      try {
        at = writeChunk(chunk, bytes(), at)
        callback()
      } catch (error) {
        callback(error instanceof Error ? error : new GrantError('ERR_GRANTS_UNSHARED', String(error)))
      }
    },
  })
}
