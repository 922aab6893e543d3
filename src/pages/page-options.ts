import { resolve } from 'node:path'
import { pathToFileURL, URL } from 'node:url'
import { PAGE_SIZE } from '../abi.js'
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  invalidArgType,
} from '../arguments.js'

/** How far a fill or a run is. */
export interface Progress {
  /** Bytes done so far. */
  bytes: number
  /** Bytes in all; undefined for a stream. */
  total: number | undefined
}

/** How pages are filled. */
export interface FillOptions {
  /** Where in the grant to begin, in bytes. Default 0. */
  offset?: number | undefined
  /**
   * Hands a source in an ArrayBuffer over: it is detached at once, and a filler thread copies it. Default false: it is
   * copied on this thread, a little at a time. A SharedArrayBuffer needs no handing over.
   */
  transfer?: boolean | undefined
  signal?: AbortSignal | undefined
  /** Called on the calling thread as slices are done, and at the end. What it throws rejects the call. */
  onProgress?: ((progress: Progress) => void) | undefined
}

/** How a module is run over pages. */
export interface RunOptions<Args = unknown> {
  /** Structured-cloned to every filler thread. */
  args?: Args | undefined
  /** Size of a slice in bytes, a multiple of the page size. Default 1 MiB. */
  sliceBytes?: number | undefined
  signal?: AbortSignal | undefined
  /** Called on the calling thread as slices are done, and at the end. What it throws rejects the call. */
  onProgress?: ((progress: Progress) => void) | undefined
}

const DEFAULT_SLICE_BYTES = 1 << 20

/** @param byteLength of the pages. @throws TypeError, RangeError */
export function checkFill(options: unknown, byteLength: number) {
  const {
    offset = 0,
    transfer = false,
    signal,
    onProgress,
  } = checkOptions<FillOptions>('options', options, ['offset', 'transfer', 'signal', 'onProgress'])
  checkInteger('options.offset', offset, 0, byteLength)
  checkBoolean('options.transfer', transfer)
  if (onProgress !== undefined) checkFunction('options.onProgress', onProgress)
  checkSignal('options.signal', signal)
  return { offset, transfer, signal, onProgress }
}

/** @param module see `run()`. @throws TypeError, RangeError */
export function checkRun(module: unknown, options: unknown) {
  const {
    args,
    sliceBytes = DEFAULT_SLICE_BYTES,
    signal,
    onProgress,
  } = checkOptions<RunOptions>('options', options, ['args', 'sliceBytes', 'signal', 'onProgress'])
  const url = moduleUrl(module)
  checkInteger('options.sliceBytes', sliceBytes, PAGE_SIZE)
  if (sliceBytes % PAGE_SIZE !== 0)
    throw invalidArgType('options.sliceBytes', `a multiple of ${PAGE_SIZE}`, sliceBytes)
  if (onProgress !== undefined) checkFunction('options.onProgress', onProgress)
  checkSignal('options.signal', signal)
  return { url, args, sliceBytes, signal, onProgress }
}

function moduleUrl(module: unknown): string {
  if (module instanceof URL) return module.href
  if (typeof module !== 'string') throw invalidArgType('module', 'a URL or a string', module)
  return module.startsWith('file:') || module.startsWith('data:')
    ? module
    : pathToFileURL(resolve(module)).href
}
