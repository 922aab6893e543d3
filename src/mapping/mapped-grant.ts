import { checkBoolean, checkOptions } from '../arguments.js'
import { GrantError } from '../errors.js'
import { SharedPages } from '../pages/shared-pages.js'
import { notifyArguments, type UnmapNotifyOptions } from '../pages/unmap-notify.js'
import type { FillerGrant } from '../protocol/messages.js'
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
 * has no read-only view. `fill()` and the streams refuse instead.
 */
export class MappedGrant extends SharedPages {
  /** Whether this side may write. */
  readonly writable: boolean
  readonly #id: number
  readonly #names: Uint32Array
  readonly #context: MappedContext
  #state: 'live' | 'leaving' | 'gone' = 'live'
  #reason: GrantError | undefined
  #unmapping: Promise<void> | undefined

  /** @internal */
  constructor({ id, address, names, writable }: MappedFacts, context: MappedContext) {
    super(address, names.length / 2, context)
    this.writable = writable
    this.#id = id
    this.#names = names
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

  /** Lets the pages go, when what runs in them has finished, or at once by force. Calling it again does nothing. */
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
    const { line, mapped } = this.#context
    this.#state = 'leaving'
    if (!force) await this.work.idle()
    this.dropView()
    try {
      await line.call((service) => service.unmap(this.#id, force))
    } catch (error) {
      // The worker is gone, and what it had mapped with it.
      if ((this.#state as string) !== 'gone') throw error
    }
    this.#state = 'gone'
    mapped.delete(this)
    // The address range is kept from others until nothing here can touch it any more.
    if (force)
      void this.work.idle().then(() => line.call((service) => service.unreserve(this.#id)).catch(() => {}))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmap()
  }

  /**
   * The worker is dead, and zero pages are in the place of the memory.
   * @internal
   */
  lost(error: GrantError): void {
    this.#state = 'gone'
    this.#reason = error
    this.dropView()
    this.work.abort(error)
    this.#context.mapped.delete(this)
  }
}

function unmapped(): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', 'these grants have been unmapped')
}
