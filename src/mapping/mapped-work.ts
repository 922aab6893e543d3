import { checkBoolean, checkOptions } from '../arguments.js'
import { GrantError } from '../errors.js'
import type { FillerGrant } from '../fill/fill-messages.js'
import { dropped } from '../memory/dropped.js'
import { PagesWork } from '../pages/pages-work.js'
import { notifyArguments, type UnmapNotifyOptions } from '../unmap-notify.js'
import type { MappedContext, MappedFacts, OpenMapping } from './mapped-context.js'
import type { OfferedPort } from './offered-ports.js'
import type { UnmapOptions } from './unmap-options.js'

/** One mapping, with everything that is done through it. Users see it as a {@link MappedGrant}. */
export class MappedWork extends PagesWork implements OpenMapping {
  readonly writable: boolean
  readonly #id: number
  readonly #names: Uint32Array
  readonly #context: MappedContext
  /** Mapped after the data and unmapped after it, by whichever thread does that: this tells the granter that it is gone. */
  #status: SharedArrayBuffer | undefined
  readonly #port: OfferedPort | undefined
  #state: 'live' | 'leaving' | 'gone' = 'live'
  #reason: GrantError | undefined
  #unmapping: Promise<void> | undefined

  constructor(facts: MappedFacts, context: MappedContext) {
    super(facts.buffer, facts.names.length / 2, context)
    this.writable = facts.writable
    this.#id = facts.id
    this.#names = facts.names
    this.#status = facts.status
    this.#port = facts.port
    this.#context = context
    context.mapped.add(this)
  }

  get refs(): Uint32Array {
    return this.#names.filter((_, i) => i % 2 === 1)
  }

  get domids(): Uint32Array {
    return this.#names.filter((_, i) => i % 2 === 0)
  }

  override get live(): boolean {
    return this.#state === 'live'
  }

  override mustBeUsable(): void {
    if (this.#state !== 'live') throw this.#reason ?? unmapped()
  }

  protected override mustBeWritable(): void {
    this.mustBeUsable()
    if (this.writable) return
    throw new GrantError(
      'EACCES',
      'these grants are mapped for reading only: map them with { writable: true }',
    )
  }

  override get fillerGrant(): FillerGrant {
    // No device worker of ours has a grant of this id: what a module asks of it is refused.
    return { id: 0, domid: this.#names[0]!, pages: this.pages, refs: this.refs, deviceThread: -1 }
  }

  async setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    const { offset, action, port } = notifyArguments(options, this.pages)
    this.mustBeUsable()
    await this.#context.line.call('setUnmapNotify', this.#id, offset, action, port)
  }

  async unmap(options?: UnmapOptions): Promise<void> {
    const { force = false } = checkOptions<UnmapOptions>('options', options, ['force'])
    checkBoolean('options.force', force)
    if (this.#state === 'gone') return
    // What runs ends early, so that the unmap that waits for it goes on.
    if (force) this.inFlight.abort(unmapped())
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
    if (!force && this.inFlight.busy) await this.inFlight.idle()
    try {
      await this.#context.line.call('unmap', this.#id)
    } catch (error) {
      // The worker is gone, and what it had mapped with it.
      if ((this.#state as string) !== 'gone') throw error
    }
    this.#gone()
    if (this.#port) await this.#port.release()
  }

  get orphans(): SharedArrayBuffer[] {
    return this.#status ? [this.memory, this.#status] : [this.memory]
  }

  lost(error: GrantError): void {
    this.#reason = error
    this.inFlight.abort(error)
    this.#gone()
  }

  #gone(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.dropMemory()
    if (this.#status) dropped(this.#status.byteLength)
    this.#status = undefined
    this.#context.mapped.delete(this)
    void this.#port?.release()
  }
}

function unmapped(): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', 'these grants have been unmapped')
}
