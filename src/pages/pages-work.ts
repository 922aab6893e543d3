import type { Readable, Writable } from 'node:stream'
import type { URL } from 'node:url'
import { PAGE_SIZE } from '../abi.js'
import { checkOptions } from '../arguments.js'
import {
  type CheckedFill,
  checkFits,
  type FillResult,
  type FillTarget,
  fill,
  fillAtOnce,
} from '../fill/fill.js'
import type { FillerGrant } from '../fill/fill-messages.js'
import type { FillMeter } from '../fill/meter.js'
import type { FillerPool } from '../fill/pool.js'
import { checkRange, type ReadStreamOptions, readStreamOver } from '../fill/read-stream.js'
import { sliceCount } from '../fill/slices.js'
import { type CheckedSource, checkSource, type FillSource, takeOver } from '../fill/source.js'
import { type WriteStreamOptions, writeStreamOver } from '../fill/stream.js'
import { dropped } from '../memory/dropped.js'
import { InFlight } from './in-flight.js'
import { checkFill, checkRun, type FillOptions, type Progress, type RunOptions } from './page-options.js'

/** What all shared pages of one thread have in common. */
export interface PagesContext {
  readonly fillers: FillerPool
  readonly inPlaceBelow: number
  readonly meter: FillMeter
}

const GONE = new Uint8Array(new SharedArrayBuffer(0))

/** What is done in pages that are shared with another domain. Users see it through {@link SharedPages}. */
export abstract class PagesWork {
  readonly pages: number
  readonly byteLength: number
  readonly inFlight: InFlight
  readonly #context: PagesContext
  /** Kept until the pages are gone for good: the thread that puts zero pages in their place has to hold it. */
  #buffer: SharedArrayBuffer | undefined
  #view: Uint8Array<SharedArrayBuffer> | undefined

  /** @param inFlight of others, that have the same pages */
  constructor(buffer: SharedArrayBuffer, pages: number, context: PagesContext, inFlight = new InFlight()) {
    this.inFlight = inFlight
    this.pages = pages
    this.byteLength = pages * PAGE_SIZE
    this.#buffer = buffer
    this.#context = context
  }

  /** Whether a view may exist. */
  abstract get live(): boolean

  /** Throws what a caller is told who wants to use the pages but may not. */
  abstract mustBeUsable(): void

  /** The same for writing. */
  protected abstract mustBeWritable(): void

  /** What `context.grant` is made of in a filler thread. */
  abstract get fillerGrant(): FillerGrant

  /** For whoever listens to what is done. */
  filled(_result: FillResult): void {}

  get bytes(): Uint8Array<SharedArrayBuffer> {
    return this.live ? this.#viewed() : GONE
  }

  #viewed(): Uint8Array<SharedArrayBuffer> {
    this.#view ??= new Uint8Array(this.memory, 0, this.byteLength)
    return this.#view
  }

  get memory(): SharedArrayBuffer {
    return this.#buffer ?? GONE.buffer
  }

  read(options: ReadStreamOptions | undefined): Uint8Array<ArrayBuffer> {
    const { start, end } = checkRange(checkOptions('options', options, ['start', 'end']), this.byteLength)
    this.mustBeUsable()
    return this.#viewed().slice(start, end)
  }

  async fill(source: FillSource, options: FillOptions | undefined): Promise<FillResult> {
    const checked = checkFill(options, this.byteLength)
    const given = checkSource(source)
    this.mustBeWritable()
    const { meter } = this.#context
    let result: FillResult | undefined
    meter.begin()
    try {
      result = await this.#fill(given, checked)
    } finally {
      meter.end(result)
    }
    this.filled(result)
    return result
  }

  /** Not a promise when it is done at once. */
  #fill(
    given: CheckedSource,
    { offset, transfer, signal, onProgress }: ReturnType<typeof checkFill>,
  ): FillResult | Promise<FillResult> {
    const target = this.#target()
    // What takes microseconds needs neither an abort nor to be waited for.
    const done = onProgress || transfer ? undefined : fillAtOnce(target, given, offset)
    if (done) return done
    if (given.kind === 'memory') checkFits(target, offset, given.bytes.byteLength)
    signal?.throwIfAborted()
    const source = transfer ? takeOver(given) : given
    return this.inFlight.run(signal, (controller) => {
      const request: CheckedFill = {
        source,
        offset,
        signal: controller.signal,
        onProgress: onProgress && reporter(onProgress, controller),
      }
      return orReason(controller.signal, fill(target, request))
    })
  }

  async run<Result>(module: URL | string, options: RunOptions | undefined): Promise<Result[]> {
    const { url, args, sliceBytes, signal, onProgress } = checkRun(module, options)
    this.mustBeUsable()
    const { byteLength, fillerGrant: grant } = this
    const range = { from: 0, to: byteLength, sliceBytes }
    const results = await this.inFlight.run(signal, (controller) => {
      const report = onProgress && reporter(onProgress, controller)
      return this.#context.fillers.run({
        ...range,
        buffer: this.memory,
        work: { kind: 'module', url, args, grant },
        signal: controller.signal,
        onProgress: report && ((bytes) => report(bytes, byteLength)),
      })
    })
    const ordered = new Array<Result>(sliceCount(range))
    // What a module returns is its own business and its caller's.
    for (const [index, result] of results) ordered[index] = result as Result
    return ordered
  }

  createWriteStream(options: WriteStreamOptions | undefined): Writable {
    const checked = checkOptions<WriteStreamOptions>('options', options, ['start'])
    this.mustBeWritable()
    return writeStreamOver(() => this.#liveBytes(), this.byteLength, checked)
  }

  createReadStream(options: ReadStreamOptions | undefined): Readable {
    const checked = checkOptions<ReadStreamOptions>('options', options, ['start', 'end'])
    this.mustBeUsable()
    return readStreamOver(() => this.#liveBytes(), this.byteLength, checked)
  }

  /** The pages are gone for good. */
  dropMemory(): void {
    if (!this.#buffer) return
    this.forgetMemory()
    dropped(this.byteLength)
  }

  /** This use of the pages is over, the pages are not. */
  forgetMemory(): void {
    this.#buffer = undefined
    this.#view = undefined
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
