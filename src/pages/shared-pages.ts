import { resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { PAGE_SIZE } from '../abi.js'
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  invalidArgType,
} from '../arguments.js'
import {
  type CheckedFill,
  checkFits,
  type FillResult,
  type FillTarget,
  fill,
  fillAtOnce,
} from '../fill/fill.js'
import type { FillerGrant } from '../fill/fill-messages.js'
import type { FillerPool } from '../fill/pool.js'
import { checkRange, type ReadStreamOptions, readStreamOver } from '../fill/read-stream.js'
import { sliceCount } from '../fill/slices.js'
import { checkSource, type FillSource, takeOver } from '../fill/source.js'
import { type WriteStreamOptions, writeStreamOver } from '../fill/stream.js'
import { dropped } from '../memory/dropped.js'
import { InFlight } from './in-flight.js'

export interface Progress {
  /** Bytes done so far. */
  bytes: number
  /** Bytes in all; undefined for a stream. */
  total: number | undefined
}

export interface FillOptions {
  /** Where in the grant to begin, in bytes. Default 0. */
  offset?: number
  /**
   * Hands a source in an ArrayBuffer over: it is detached at once, and a filler thread copies it. Default false: it is
   * copied on this thread, a little at a time. A SharedArrayBuffer needs no handing over.
   */
  transfer?: boolean
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
  filled(result: FillResult): void
}

const DEFAULT_SLICE_BYTES = 1 << 20
const GONE = new Uint8Array(new SharedArrayBuffer(0))

/** Pages this process shares with another domain: a view of them, and everything that writes into them. */
export abstract class SharedPages<Bytes = Uint8Array<SharedArrayBuffer>> {
  readonly pages: number
  readonly byteLength: number
  readonly #context: PagesContext
  /** Kept until the pages are gone for good: whoever puts zero pages in their place has to hold it. */
  #buffer: SharedArrayBuffer | undefined
  #view: Uint8Array<SharedArrayBuffer> | undefined

  /** @internal */
  readonly work: InFlight = new InFlight()

  /** @internal */
  constructor(buffer: SharedArrayBuffer, pages: number, context: PagesContext) {
    this.pages = pages
    this.byteLength = pages * PAGE_SIZE
    this.#buffer = buffer
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
   * The pages, without copy: a view of a SharedArrayBuffer that holds exactly them. Empty as soon as they are being given
   * up. A view kept from before, in whatever thread or system call, then reads zeros and swallows writes.
   *
   * What the other domain may write to it is hostile: read once, check, then use, or {@link read} a copy. Posting it to
   * another thread shares it, but the pages do not wait for that thread when they are given up: `handle()` is for those
   * who want to be waited for.
   */
  get bytes(): Bytes {
    return (this.live ? this.#viewed() : GONE) as Bytes
  }

  #viewed(): Uint8Array<SharedArrayBuffer> {
    this.#view ??= new Uint8Array(this.memory, 0, this.byteLength)
    return this.#view
  }

  /** @internal */
  get memory(): SharedArrayBuffer {
    return this.#buffer ?? GONE.buffer
  }

  /**
   * A copy of the pages, or of a part of them: nobody changes it while it is looked at.
   * @throws RangeError; GrantError ERR_GRANTS_UNSHARED
   */
  read(options?: ReadStreamOptions): Uint8Array<ArrayBuffer> {
    const { start, end } = checkRange(checkOptions('options', options, ['start', 'end']), this.byteLength)
    this.mustBeUsable()
    return this.#viewed().slice(start, end)
  }

  /**
   * Writes into the pages: on this thread when the source is small or nobody else's to read (an ArrayBuffer), without
   * holding it longer than a millisecond; by all filler threads at once when it is large and in a SharedArrayBuffer or a
   * file. A source in memory that changes before this settles may be written as it was or as it is.
   *
   * @throws TypeError, RangeError for a source that makes no sense or does not fit, before anything is written
   * @throws GrantError ERR_GRANTS_UNSHARED, ERR_GRANTS_CLOSED, ERR_GRANTS_SHORT_READ, ERR_GRANTS_WORKER_DIED; a system
   * error of open or read. The grant is intact after a failure; bytes of the range may or may not have been written.
   */
  async fill(source: FillSource, options?: FillOptions): Promise<FillResult> {
    const {
      offset = 0,
      transfer = false,
      signal,
      onProgress,
    } = checkOptions<FillOptions>('options', options, ['offset', 'transfer', 'signal', 'onProgress'])
    checkInteger('options.offset', offset, 0, this.byteLength)
    checkBoolean('options.transfer', transfer)
    if (onProgress !== undefined) checkFunction('options.onProgress', onProgress)
    checkSignal('options.signal', signal)
    const given = checkSource(source)
    this.mustBeWritable()
    const target = this.#target()
    // What takes microseconds needs neither an abort nor to be waited for.
    const done = onProgress || transfer ? undefined : fillAtOnce(target, given, offset)
    if (done) {
      this.filled(done)
      return done
    }
    if (given.kind === 'memory') checkFits(target, offset, given.bytes.byteLength)
    signal?.throwIfAborted()
    const checked = transfer ? takeOver(given) : given
    const result = await this.work.run(signal, (controller) => {
      const request: CheckedFill = {
        source: checked,
        offset,
        signal: controller.signal,
        onProgress: onProgress && reporter(onProgress, controller),
      }
      return orReason(controller.signal, fill(target, request))
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
        buffer: this.memory,
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

  /**
   * The pages are gone for good.
   * @internal
   */
  dropMemory(): void {
    if (!this.#buffer) return
    this.#buffer = undefined
    this.#view = undefined
    dropped(this.byteLength)
  }

  #target(): FillTarget {
    const { fillers, inPlaceBelow } = this.#context
    const { byteLength } = this
    return { buffer: this.memory, byteLength, bytes: () => this.#heldBytes(), pool: fillers, inPlaceBelow }
  }

  #liveBytes(): Uint8Array<SharedArrayBuffer> {
    this.mustBeUsable()
    return this.#viewed()
  }

  /** For work that the end of the pages waits for: it goes on when they are being given up. */
  #heldBytes(): Uint8Array<SharedArrayBuffer> {
    if (!this.#buffer) this.mustBeUsable()
    return this.#viewed()
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
