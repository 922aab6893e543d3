import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import { checkInteger } from '../arguments.js'
import type { LiveBytes } from './stream.js'

/** Which part of the pages to read. */
export interface ReadStreamOptions {
  /** Where to begin, in bytes. Default 0. */
  start?: number | undefined
  /** Where to end, in bytes, exclusive. Default: the end of the pages. */
  end?: number | undefined
}

const CHUNK = 64 << 10

export function checkRange(options: ReadStreamOptions, byteLength: number): { start: number; end: number } {
  const { start = 0, end = byteLength } = options
  checkInteger('options.start', start, 0, byteLength)
  checkInteger('options.end', end, start, byteLength)
  return { start, end }
}

/**
 * Copies of the pages, piece by piece: what a consumer checks is what it keeps, whatever the other domain writes
 * meanwhile. Fails once the pages are given up.
 */
export function readStreamOver(bytes: LiveBytes, byteLength: number, options: ReadStreamOptions): Readable {
  const { start, end } = checkRange(options, byteLength)
  let at = start
  return new Readable({
    read() {
      if (at === end) {
        this.push(null)
        return
      }
      try {
        const next = Math.min(end, at + CHUNK)
        this.push(Buffer.from(bytes().subarray(at, next)))
        at = next
      } catch (error) {
        this.destroy(error as Error)
      }
    },
  })
}
