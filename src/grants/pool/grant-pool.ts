import { threadId } from 'node:worker_threads'
import { untilAborted } from '../../abort.js'
import { checkBoolean, checkInteger, checkOptions, checkSignal, invalidArgType } from '../../arguments.js'
import { closedError, GrantError } from '../../errors.js'
import { zero } from '../../memory/copy-bytes.js'
import type { Grant } from '../grant.js'
import type { GrantHandle } from '../handle.js'
import type { PoolControl } from './pool-control.js'

export interface PoolOptions {
  /** The domain that may map the pages. */
  domid: number
  /** Pages of each grant. */
  pages: number
  /** How many grants. */
  grants: number
  /** Whether that domain may write. Default false. */
  writable?: boolean
  /** Zero a grant's pages when it is released. Default true. */
  scrub?: boolean
  signal?: AbortSignal
}

export interface AcquireOptions {
  signal?: AbortSignal
}

/** Names a pool to other threads of the process: plain data for postMessage. */
export interface GrantPoolHandle {
  readonly type: 'xen-grants.pool'
  readonly control: SharedArrayBuffer
  readonly grants: readonly GrantHandle[]
  readonly scrub: boolean
}

/** While an acquire() waits for a grant the event loop is kept alive: a waiting Atomics.waitAsync does not. */
const AWAKE = 2 ** 30

/**
 * Persistent grants: granted and mapped once, then handed out again and again, without a system call and without a
 * message, as Xen's own disks and network do it. The peer maps them once and keeps its mapping.
 *
 * That is also the price: **the peer sees a page after it has been released**, zeroed unless `scrub` is off, and
 * whatever the next user writes. Put only users in one pool that may share a peer. Whoever keeps a Grant after its
 * release writes into the pages of the next user: nothing can tell the two apart.
 */
export class GrantPool {
  /** Every grant of the pool, for handing its references to the peer. Use only those acquired. */
  readonly grants: readonly Grant[]
  readonly #control: PoolControl
  readonly #scrub: boolean
  readonly #indexes = new Map<Grant, number>()
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(grants: readonly Grant[], control: PoolControl, scrub: boolean) {
    this.grants = grants
    this.#control = control
    this.#scrub = scrub
    for (const [index, grant] of grants.entries()) this.#indexes.set(grant, index)
  }

  /** Grants that are not in use at the moment. */
  get free(): number {
    return this.#control.free
  }

  /** A free grant, or undefined. */
  tryAcquire(): Grant | undefined {
    if (this.#closing) throw closedError()
    const index = this.#control.take(threadId)
    return index < 0 ? undefined : this.grants[index]
  }

  /** A grant, as soon as one is free. @throws GrantError ERR_GRANTS_CLOSED; the signal's reason */
  async acquire(options?: AcquireOptions): Promise<Grant> {
    const { signal } = checkOptions<AcquireOptions>('options', options, ['signal'])
    checkSignal('options.signal', signal)
    for (;;) {
      const { releases } = this.#control
      const grant = this.tryAcquire()
      if (grant) return grant
      const awake = setInterval(() => {}, AWAKE)
      try {
        await untilAborted(this.#control.released(releases), signal)
      } finally {
        clearInterval(awake)
      }
    }
  }

  /**
   * Gives a grant back to the pool.
   * @throws TypeError when it is not of this pool; GrantError ERR_GRANTS_UNSHARED when this thread does not have it
   */
  release(grant: Grant): void {
    const index = this.#indexes.get(grant)
    if (index === undefined) throw invalidArgType('grant', 'a grant of this pool', grant)
    if (!this.#control.heldBy(index, threadId)) {
      throw new GrantError('ERR_GRANTS_UNSHARED', `grant ${grant.id} has been released already`)
    }
    if (this.#scrub) zero(grant.bytes)
    this.#control.give(index, threadId)
  }

  /** Releases whatever a thread had that has ended without releasing it. @returns how many grants that were */
  reclaim(thread: number): number {
    checkInteger('thread', thread, 0)
    let count = 0
    for (const [index, grant] of this.grants.entries()) {
      if (!this.#control.heldBy(index, thread)) continue
      if (this.#scrub) zero(grant.bytes)
      if (this.#control.give(index, thread)) count++
    }
    return count
  }

  /** For another thread of this process: `GrantClient.pool(handle)` there. */
  handle(): GrantPoolHandle {
    if (this.#closing) throw closedError()
    const grants = this.grants.map((grant) => grant.handle())
    return { type: 'xen-grants.pool', control: this.#control.buffer, grants, scrub: this.#scrub }
  }

  /**
   * Unshares the grants, also those that are out: their users find them unshared. In a thread that was given a handle:
   * returns its leases. No acquire() that waits gets one.
   */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = Promise.all(this.grants.map((grant) => grant.unshare())).then(() => {})
      this.#control.wake()
    }
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

export function checkPool(
  options: unknown,
): Required<Omit<PoolOptions, 'signal'>> & { signal: AbortSignal | undefined } {
  const known = ['domid', 'pages', 'grants', 'writable', 'scrub', 'signal'] as const
  const {
    domid,
    pages,
    grants,
    writable = false,
    scrub = true,
    signal,
  } = checkOptions<PoolOptions>('options', options, known)
  checkInteger('options.grants', grants, 1, 2 ** 20)
  checkBoolean('options.scrub', scrub)
  checkSignal('options.signal', signal)
  return { domid, pages, grants, writable, scrub, signal }
}

export function checkPoolHandle(value: unknown): GrantPoolHandle {
  const { type, control, grants, scrub } = (value ?? {}) as Partial<GrantPoolHandle>
  if (type !== 'xen-grants.pool' || !(control instanceof SharedArrayBuffer) || !Array.isArray(grants)) {
    throw invalidArgType('handle', 'what GrantPool.handle() returned', value)
  }
  checkBoolean('handle.scrub', scrub)
  return value as GrantPoolHandle
}
