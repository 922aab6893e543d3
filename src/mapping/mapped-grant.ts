import { type InspectOptionsStylized, inspect } from 'node:util'
import { inLine, rangeOf } from '../inspect.js'
import { SharedPages } from '../pages/shared-pages.js'
import type { UnmapNotifyOptions } from '../unmap-notify.js'
import type { MappedBytes } from './mapped-bytes.js'
import type { MappedWork } from './mapped-work.js'
import type { UnmapOptions } from './unmap-options.js'

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
  readonly #work: MappedWork

  /** @internal */
  constructor(work: MappedWork, writable: Writable) {
    super(work)
    this.writable = writable
    this.#work = work
  }

  /** One reference per page. A copy. */
  get refs(): Uint32Array {
    return this.#work.refs
  }

  /** The owner of each page. A copy. */
  get domids(): Uint32Array {
    return this.#work.domids
  }

  /**
   * What the kernel does for the granter when these pages are unmapped, in order or because this process crashed: set
   * a byte in them to zero, send an event, or both. One for the whole mapping; replaces an earlier one; `{}` disarms.
   *
   * @throws GrantError EINVAL when the port is not bound in this domain, or a byte is to be cleared and the mapping is
   * not writable
   */
  setUnmapNotify(options: UnmapNotifyOptions): Promise<void> {
    return this.#work.setUnmapNotify(options)
  }

  /** Unmaps the pages, when what runs in them has finished, or at once by force. Calling it again does nothing. */
  unmap(options?: UnmapOptions): Promise<void> {
    return this.#work.unmap(options)
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const { pages, writable } = this
    const { refs, domids, live } = this.#work
    const facts = {
      domid: domids[0],
      pages,
      writable,
      refs: rangeOf(refs),
      state: live ? 'mapped' : 'unmapped',
    }
    return inLine('MappedGrant', facts, options)
  }

  /** For `await using`: {@link unmap}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#work.unmap()
  }
}
