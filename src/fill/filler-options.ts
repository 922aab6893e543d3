import { checkInteger, checkOptions } from '../arguments.js'
import type { FillerOptions } from './pool.js'

/** Measured (bench/threshold): below this a copy in place is faster than the pool. */
export const IN_PLACE_BELOW = 8 << 20

export function checkFillers(value: unknown): FillerOptions {
  const fillers = checkOptions<FillerOptions>('options.fillers', value, [
    'threads',
    'inPlaceBelow',
    'abortGrace',
  ])
  if (fillers.threads !== undefined) checkInteger('options.fillers.threads', fillers.threads, 1, 1024)
  if (fillers.inPlaceBelow !== undefined)
    checkInteger('options.fillers.inPlaceBelow', fillers.inPlaceBelow, 0)
  if (fillers.abortGrace !== undefined)
    checkInteger('options.fillers.abortGrace', fillers.abortGrace, 0, 0x7fff_ffff)
  return fillers
}
