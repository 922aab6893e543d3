import { resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { PAGE_SIZE } from '../abi.js'
import { checkFunction, checkInteger, checkOptions, checkSignal, invalidArgType } from '../arguments.js'
import { type CheckedFill, type FillResult, type FillTarget, fill, fillInPlace } from '../fill/fill.js'
import type { FillerPool } from '../fill/pool.js'
import { type ReadStreamOptions, readStreamOver } from '../fill/read-stream.js'
import { sliceCount } from '../fill/slices.js'
import { checkSource, type FillSource } from '../fill/source.js'
import { type WriteStreamOptions, writeStreamOver } from '../fill/stream.js'
import type { FillerGrant } from '../protocol/messages.js'
import { Work } from './work.js'

export interface Progress {
  /** Bytes done so far. */
  bytes: number
  /** Bytes in all; undefined for a stream. */
  total: number | undefined
}

export interface FillOptions {
  /** Where in the grant to begin, in bytes. Default 0. */
  offset?: number
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

export interface RunOptions {
  /** Structured-cloned to every filler thread. */
  args?: unknown
  /** Size of a slice in bytes, a multiple of the page size. Default 1 MiB. */
  sliceBytes?: number
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

/** What all shared pages of one thread have in common. */
export interface PagesContext {
  readonly fillers: FillerPool
  readonly inPlaceBelow: number
  /** Loaded when something is opened, not when the package is imported: it needs the platform's C library. */
  readonly memory: typeof import('../memory/view.js')
  filled(result: FillResult): void
}

const DEFAULT_SLICE_BYTES = 1 << 20
const GONE = new Uint8Array(0)

/** Pages this process shares with another domain: a view of them, and everything that writes into them. */
export abstract class SharedPages {
  readonly pages: number
  readonly byteLength: number
  readonly #address: number
  readonly #context: PagesContext
  #view: Uint8Array | undefined

  /** @internal */
  readonly work: Work = new Work()

  /** @internal */
  constructor(address: number, pages: number, context: PagesContext) {
    this.pages = pages
    this.byteLength = pages * PAGE_SIZE
    this.#address = address
    this.#context = context
  }

  /** @internal */
  protected filled(result: FillResult): void {
    this.#context.filled(result)
  }

  /**
   * Whether a view may exist.
   * @internal
   */
  protected abstract get live(): boolean

  /**
   * Throws what a caller is told who wants to use the pages but may not.
   * @internal
   */
  protected abstract mustBeUsable(): void

  /**
   * The same for writing.
   * @internal
   */
  protected abstract mustBeWritable(): void

  /**
   * What `context.grant` is made of in a filler thread.
   * @internal
   */
  protected abstract get fillerGrant(): FillerGrant

  /**
   * The pages, without copy, in this thread. Empty as soon as they are being let go: a view kept from before becomes
   * empty too, it does not crash. What the other domain may write to it is hostile: read once, check, then use.
   * Posting it to another thread copies it.
   */
  get bytes(): Uint8Array {
    if (!this.live) return GONE
    this.#view ??= this.#context.memory.viewOf(this.#address, this.byteLength)
    return this.#view
  }

  /**
   * Writes into the pages: in place when the source is small, by all filler threads at once when it is large. Until it
   * settles, a source in memory must not be changed, transferred, detached or resized, since the fillers read it where
   * it is; a SharedArrayBuffer may change, what is written is then either value.
   *
   * @throws TypeError, RangeError for a source that makes no sense or does not fit, before anything is written
   * @throws GrantError ERR_GRANTS_UNSHARED, ERR_GRANTS_CLOSED, ERR_GRANTS_SHORT_READ, ERR_GRANTS_WORKER_DIED; a system
   * error of open or read. The grant is intact after a failure; bytes of the range may or may not have been written.
   */
  async fill(source: FillSource, options?: FillOptions): Promise<FillResult> {
    const {
      offset = 0,
      signal,
      onProgress,
    } = checkOptions<FillOptions>('options', options, ['offset', 'signal', 'onProgress'])
    checkInteger('options.offset', offset, 0, this.byteLength)
    if (onProgress !== undefined) checkFunction('options.onProgress', onProgress)
    checkSignal('options.signal', signal)
    const checked = checkSource(source)
    this.mustBeWritable()
    // What takes microseconds needs neither an abort nor to be waited for.
    const inPlace = onProgress ? undefined : fillInPlace(this.#target(), checked, offset)
    if (inPlace) {
      this.filled(inPlace)
      return inPlace
    }
    const result = await this.work.run(signal, (controller) => {
      const request: CheckedFill = {
        source: checked,
        offset,
        signal: controller.signal,
        onProgress: onProgress && reporter(onProgress, controller),
      }
      return orReason(controller.signal, fill(this.#target(), request))
    })
    this.filled(result)
    return result
  }

  /**
   * Runs a module of yours in the filler threads, over every slice of the grant. Its default export is a
   * {@link SliceFunction}.
   *
   * @param module file: URL or path of an ES module
   * @returns what it returned for each slice, in order
   * @throws what the module threw, with its code and fields; GrantError ERR_GRANTS_WORKER_DIED when its thread died
   */
  async run(module: URL | string, options?: RunOptions): Promise<unknown[]> {
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
    this.mustBeUsable()
    const { byteLength, fillerGrant: grant } = this
    const range = { from: 0, to: byteLength, sliceBytes }
    const results = await this.work.run(signal, (controller) => {
      const report = onProgress && reporter(onProgress, controller)
      return this.#context.fillers.run({
        ...range,
        address: this.#address,
        byteLength,
        work: { kind: 'module', url, args, grant },
        signal: controller.signal,
        onProgress: report && ((bytes) => report(bytes, byteLength)),
      })
    })
    const ordered = new Array<unknown>(sliceCount(range))
    for (const [index, result] of results) ordered[index] = result
    return ordered
  }

  /** A Writable over the pages, for pipeline(). It does not keep the grant: once unshared it fails. */
  createWriteStream(options?: WriteStreamOptions): Writable {
    const checked = checkOptions<WriteStreamOptions>('options', options, ['start'])
    this.mustBeWritable()
    return writeStreamOver(() => this.#liveBytes(), this.byteLength, checked)
  }

  /** A Readable of copies of the pages. It does not keep them: once they are let go it fails. */
  createReadStream(options?: ReadStreamOptions): Readable {
    const checked = checkOptions<ReadStreamOptions>('options', options, ['start', 'end'])
    this.mustBeUsable()
    return readStreamOver(() => this.#liveBytes(), this.byteLength, checked)
  }

  /** @internal */
  dropView(): void {
    if (this.#view) this.#context.memory.detach(this.#view)
    this.#view = undefined
  }

  #target(): FillTarget {
    const { fillers, inPlaceBelow, memory } = this.#context
    return {
      address: this.#address,
      byteLength: this.byteLength,
      bytes: () => this.#liveBytes(),
      pool: fillers,
      inPlaceBelow,
      addressOf: memory.addressOf,
    }
  }

  #liveBytes(): Uint8Array {
    this.mustBeUsable()
    return this.bytes
  }
}

/** Once aborted, the reason is what the caller gets, whichever way the work noticed. */
async function orReason<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}

/** A callback that throws ends the work with what it threw: nothing else could tell the caller. */
function reporter(
  onProgress: (progress: Progress) => void,
  controller: AbortController,
): (bytes: number, total: number | undefined) => void {
  return (bytes, total) => {
    try {
      onProgress({ bytes, total })
    } catch (error) {
      controller.abort(error)
    }
  }
}

function moduleUrl(module: unknown): string {
  if (module instanceof URL) return module.href
  if (typeof module !== 'string') throw invalidArgType('module', 'a URL or a string', module)
  return module.startsWith('file:') || module.startsWith('data:')
    ? module
    : pathToFileURL(resolve(module)).href
}
