import { resolve } from 'node:path'
import type { Writable } from 'node:stream'
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
import type { ThreadContext } from '../client/thread-context.js'
import type { GrantError } from '../errors.js'
import { type CheckedFill, type FillResult, fill } from '../fill/fill.js'
import { sliceCount } from '../fill/slices.js'
import { checkSource, type FillSource } from '../fill/source.js'
import { type WriteStreamOptions, writeStreamOver } from '../fill/stream.js'
import { Op } from '../protocol/messages.js'
import type { GrantHandle } from './handle.js'
import { notifyArguments, type UnmapNotifyOptions } from './unmap-notify.js'
import { type UnshareOptions, Unsharing } from './unsharing.js'
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

/** What the device worker said of a grant. */
export interface GrantFacts {
  id: number
  domid: number
  writable: boolean
  address: number
  refs: Uint32Array
  /** Whether this thread shared it, or attached to it. */
  owner: boolean
}

const DEFAULT_SLICE_BYTES = 1 << 20
const GONE = new Uint8Array(0)

/**
 * Pages of this domain that another domain may map. They stay granted until {@link unshare}, whatever becomes of
 * this object.
 */
export class Grant {
  /** Unique among all grants of the server, never reused. */
  readonly id: number
  /** The domain that may map the pages. */
  readonly domid: number
  readonly pages: number
  readonly byteLength: number
  /** Whether that domain may write. This side always may. */
  readonly writable: boolean
  readonly #refs: Uint32Array
  readonly #address: number
  readonly #context: ThreadContext
  readonly #work = new Work()
  readonly #unsharing: Unsharing
  #view: Uint8Array | undefined

  /** @internal */
  constructor(facts: GrantFacts, context: ThreadContext) {
    this.id = facts.id
    this.domid = facts.domid
    this.pages = facts.refs.length
    this.byteLength = facts.refs.length * PAGE_SIZE
    this.writable = facts.writable
    this.#refs = facts.refs
    this.#address = facts.address
    this.#context = context
    this.#unsharing = new Unsharing({
      id: facts.id,
      owner: facts.owner,
      connection: context.connection,
      work: this.#work,
      dropView: () => this.#dropView(),
      ended: () => context.grants.delete(facts.id),
    })
    context.grants.set(facts.id, this)
  }

  /** One grant reference per page, for the peer. A copy. */
  get refs(): Uint32Array {
    return this.#refs.slice()
  }

  /**
   * The shared pages, without copy, in this thread. Empty as soon as the grant is being unshared: a view kept from
   * before becomes empty too, it does not crash. What a peer may write to it is hostile: read once, check, then use.
   * Posting it to another thread copies it; use {@link handle}.
   */
  get bytes(): Uint8Array {
    if (!this.#unsharing.live) return GONE
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
    this.#mustBeLive()
    const result = await this.#work.run(signal, (controller) => {
      const request: CheckedFill = {
        source: checked,
        offset,
        signal: controller.signal,
        onProgress: onProgress && reporter(onProgress, controller),
      }
      return this.#untilAborted(controller.signal, fill(this.#target(), request))
    })
    this.#context.filled(result.bytes, result.milliseconds)
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
    this.#mustBeLive()
    const { id, domid, pages, byteLength } = this
    const range = { from: 0, to: byteLength, sliceBytes }
    const grant = { id, domid, pages, refs: this.#refs, deviceThread: this.#context.deviceThread }
    const results = await this.#work.run(signal, (controller) => {
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
    this.#mustBeLive()
    return writeStreamOver(() => this.#liveBytes(), this.byteLength, checked)
  }

  /**
   * What the kernel does for the peer when a page of the grant goes because this process crashed: set a byte to zero,
   * send an event, or both. One per page; replaces an earlier one; `{}` disarms. An orderly unshare disarms first.
   *
   * @throws GrantError EINVAL when the port is not bound in this domain
   */
  async setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    const { offset, action, port } = notifyArguments(options, this.pages)
    this.#mustBeLive()
    await this.#context.connection.request(Op.setUnmapNotify, this.id, offset, action, port)
  }

  /** For another thread of this process, which attaches to it through a GrantClient. */
  handle(): GrantHandle {
    const { id, domid, pages, writable } = this
    this.#mustBeLive()
    return { type: 'xen-grants.handle', server: this.#context.server, id, domid, pages, writable }
  }

  /**
   * Takes the pages back. Waits for fills and runs, and for other threads that have attached, unless forced. Views are
   * empty from the moment it begins to give back. Calling it again does nothing. A peer that still maps a page keeps
   * seeing it, zeroed, until it lets go.
   *
   * With `force`, nothing is waited for: harmless zero pages take the place of the memory at once, so that a thread
   * still writing cannot crash or reach anything; running fills are aborted.
   *
   * Aborting by `signal` while it waits leaves the grant shared and usable.
   */
  async unshare(options?: UnshareOptions): Promise<void> {
    const checked = checkOptions<UnshareOptions>('options', options, ['force', 'signal', 'fireNotify'])
    if (checked.force !== undefined) checkBoolean('options.force', checked.force)
    if (checked.fireNotify !== undefined) checkBoolean('options.fireNotify', checked.fireNotify)
    checkSignal('options.signal', checked.signal)
    await this.#unsharing.unshare(checked)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unshare()
  }

  /**
   * The memory is no longer the grant's, or will soon not be: views become empty, running work is aborted.
   * @internal
   */
  revoke(reason: GrantError): void {
    this.#unsharing.revoked(reason)
  }

  /**
   * Resolves when nothing of this thread runs in the pages.
   * @internal
   */
  idle(): Promise<void> {
    return this.#work.idle()
  }

  #target() {
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
    this.#mustBeLive()
    return this.bytes
  }

  /** Once aborted, the reason is what the caller gets, whichever way the work noticed. */
  async #untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  }

  #mustBeLive(): void {
    this.#unsharing.mustBeLive()
  }

  #dropView(): void {
    if (this.#view) this.#context.memory.detach(this.#view)
    this.#view = undefined
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
