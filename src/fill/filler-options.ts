import { SHARE_ENV } from 'node:worker_threads'
import { checkInteger, checkOptions, invalidArgType } from '../arguments.js'

/** The threads that fill pages and run modules. */
export interface FillerOptions {
  /** Filler threads, at least 1. Default: what `os.availableParallelism()` says. They start with the first task. */
  threads?: number | undefined
  /**
   * Fills from shared memory, or with one value, of fewer bytes than this are done on the calling thread, which is never
   * held longer than a millisecond. Default 8 MiB.
   */
  inPlaceBelow?: number | undefined
  /** How long an aborted module may go on before its thread is ended, in milliseconds. Default 1000. */
  abortGrace?: number | undefined
  /** Node's options for the threads, for modules given to `run()`. As for a `Worker`; default: those of this thread. */
  execArgv?: readonly string[] | undefined
  /** Their environment, as for a `Worker`. Default: a copy of this thread's. */
  env?: NodeJS.ProcessEnv | typeof SHARE_ENV | undefined
  /** Their memory, as for a `Worker`: a module that needs more loses its thread. Shared pages do not count. */
  resourceLimits?: {
    maxYoungGenerationSizeMb?: number
    maxOldGenerationSizeMb?: number
    codeRangeSizeMb?: number
    stackSizeMb?: number
  }
}

/** Measured (bench/threshold): below this a copy in place is faster than the pool. */
export const IN_PLACE_BELOW = 8 << 20

export function checkFillers(value: unknown): FillerOptions {
  const known = ['threads', 'inPlaceBelow', 'abortGrace', 'execArgv', 'env', 'resourceLimits'] as const
  const fillers = checkOptions<FillerOptions>('options.fillers', value, known)
  const { threads, inPlaceBelow, abortGrace, execArgv, env, resourceLimits } = fillers
  if (threads !== undefined) checkInteger('options.fillers.threads', threads, 1, 1024)
  if (inPlaceBelow !== undefined) checkInteger('options.fillers.inPlaceBelow', inPlaceBelow, 0)
  if (abortGrace !== undefined) checkInteger('options.fillers.abortGrace', abortGrace, 0, 0x7fff_ffff)
  if (
    execArgv !== undefined &&
    !(Array.isArray(execArgv) && execArgv.every((flag) => typeof flag === 'string'))
  )
    throw invalidArgType('options.fillers.execArgv', 'an array of strings', execArgv)
  if (env !== undefined && env !== SHARE_ENV && (typeof env !== 'object' || env === null))
    throw invalidArgType('options.fillers.env', 'an object or SHARE_ENV', env)
  if (resourceLimits !== undefined && (typeof resourceLimits !== 'object' || resourceLimits === null))
    throw invalidArgType('options.fillers.resourceLimits', 'an object', resourceLimits)
  return fillers
}
