import { checkBoolean, checkOptions } from '../arguments.js'
import { GrantError } from '../errors.js'
import type { FillerGrant } from '../fill/fill-messages.js'
import { dropped } from '../memory/dropped.js'
import { SharedPages } from '../pages/shared-pages.js'
import { notifyArguments, type UnmapNotifyOptions } from '../unmap-notify.js'
import type { MappedBytes } from './mapped-bytes.js'
import type { MappedContext, MappedFacts } from './mapped-context.js'

export interface UnmapOptions {
  /** Wait for nobody: abort what runs, put zero pages in the place of the memory at once. Default false. */
  force?: boolean
}

/**
 * Pages of other domains, mapped here until {@link unmap}. They stay readable whatever their owner does, even when its
 * domain is gone.
 *
 * A mapping that is not writable really is not: writing to its `bytes` ends the process with SIGSEGV, since JavaScript
 * has no read-only view. Their type therefore offers no stores; `fill()` and the streams refuse, and a system call that
 * is to write there fails with EFAULT.
 */
export class MappedGrant<Writable extends boolean = boolean> extends SharedPages<MappedBytes<Writable>> {
  /** Whether this side may write. */
  readonly writable: Writable
  readonly #id: number
  readonly #names: Uint32Array
  readonly #context: MappedContext
  /** Mapped after the data and unmapped after it, by whoever does that: this is what tells the granter that it is gone. */
  #status: SharedArrayBuffer | undefined
  #state: 'live' | 'leaving' | 'gone' = 'live'
  #reason: GrantError | undefined
  #unmapping: Promise<void> | undefined

  /** @internal */
  constructor(facts: MappedFacts & { writable: Writable }, context: MappedContext) {
    super(facts.buffer, facts.names.length / 2, context)
    this.writable = facts.writable
    this.#id = facts.id
    this.#names = facts.names
    this.#status = facts.status
    this.#context = context
    context.mapped.add(this)
  }

  /** One reference per page. A copy. */
  get refs(): Uint32Array {
    return this.#names.filter((_, i) => i % 2 === 1)
  }

  /** The owner of each page. A copy. */
  get domids(): Uint32Array {
    return this.#names.filter((_, i) => i % 2 === 0)
  }

  /** @internal */
  protected override get live(): boolean {
    return this.#state === 'live'
  }

  /** @internal */
  protected override mustBeUsable(): void {
    if (this.#state !== 'live') throw this.#reason ?? unmapped()
  }

  /** @internal */
  protected override mustBeWritable(): void {
    this.mustBeUsable()
    if (this.writable) return
    throw new GrantError(
      'EACCES',
      'these grants are mapped for reading only: map them with { writable: true }',
    )
  }

  /** @internal */
  protected override get fillerGrant(): FillerGrant {
    // No device worker of ours has a grant of this id: what a module asks of it is refused.
    return { id: 0, domid: this.#names[0]!, pages: this.pages, refs: this.refs, deviceThread: -1 }
  }

  /**
   * What the kernel does for the granter when these pages are unmapped, in order or because this process crashed: set
   * a byte in them to zero, send an event, or both. One for the whole mapping; replaces an earlier one; `{}` disarms.
   *
   * @throws GrantError EINVAL when the port is not bound in this domain, or a byte is to be cleared and the mapping is
   * not writable
   */
  async setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    const { offset, action, port } = notifyArguments(options, this.pages)
    this.mustBeUsable()
    await this.#context.line.call((service) => service.setUnmapNotify(this.#id, offset, action, port))
  }

  /** Unmaps the pages, when what runs in them has finished, or at once by force. Calling it again does nothing. */
  async unmap(options?: UnmapOptions): Promise<void> {
    const { force = false } = checkOptions<UnmapOptions>('options', options, ['force'])
    checkBoolean('options.force', force)
    if (this.#state === 'gone') return
    // What runs ends early, so that the unmap that waits for it goes on.
    if (force) this.work.abort(unmapped())
    this.#unmapping ??= this.#unmap(force)
    try {
      await this.#unmapping
    } catch (error) {
      this.#unmapping = undefined
      throw error
    }
  }

  async #unmap(force: boolean): Promise<void> {
    this.#state = 'leaving'
    if (!force) await this.work.idle()
    try {
      await this.#context.line.call((service) => service.unmap(this.#id))
    } catch (error) {
      // The worker is gone, and what it had mapped with it.
      if ((this.#state as string) !== 'gone') throw error
    }
    this.#gone()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmap()
  }

  /** @internal */
  get orphans(): SharedArrayBuffer[] {
    return this.#status ? [this.memory, this.#status] : [this.memory]
  }

  /**
   * The worker is dead, or closed.
   * @internal
   */
  lost(error: GrantError): void {
    this.#reason = error
    this.work.abort(error)
    this.#gone()
  }

  #gone(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.dropMemory()
    if (this.#status) dropped(this.#status.byteLength)
    this.#status = undefined
    this.#context.mapped.delete(this)
  }
}

function unmapped(): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', 'these grants have been unmapped')
}
