import { clearInterval, setInterval } from 'node:timers'
import { type InspectOptionsStylized, inspect } from 'node:util'
import { threadId } from 'node:worker_threads'
import { untilAborted } from '../../abort.js'
import { checkInteger, checkOptions, checkSignal, invalidArgType } from '../../arguments.js'
import { closedError, GrantError } from '../../errors.js'
import { inLine } from '../../inspect.js'
import { zero } from '../../memory/copy-bytes.js'
import { type CloseOptions, checkClose } from '../../threads/close-options.js'
import { actionsOf, Grant } from '../grant.js'
import type { GrantWork } from '../grant-work.js'
import type { PoolControl } from './pool-control.js'
import type { AcquireOptions, GrantPoolHandle } from './pool-options.js'
import { PooledWork, type PoolOfUses, releasedError } from './pooled-work.js'

/** While an acquire() waits for a grant the event loop is kept alive: a waiting Atomics.waitAsync does not. */
const AWAKE = 2 ** 30

/** What the client that has made a pool may do with it. */
export interface PoolEnd {
  /** The client is closing, or has lost its device worker. */
  end(reason: GrantError): void
}

export interface PoolSetup {
  /** As users see them. */
  grants: readonly Grant[]
  scrub: boolean
  /** Called once, by the constructor. @returns what to call when the pool is over */
  opened(end: PoolEnd): () => void
}

/**
 * Persistent grants: granted and mapped once, then handed out again and again, without a system call and without a
 * message, as Xen's own disks and network do it. The peer maps them once and keeps its mapping.
 *
 * That is also the price: **the peer sees a page after it has been released**, zeroed unless `scrub` is off, and
 * whatever the next user writes. Put only users in one pool that may share a peer.
 *
 * What {@link acquire} hands out is a Grant of its own, which ends with its release: its `bytes` are empty then, and what is
 * called on it is refused. Only a view of `bytes` that somebody has kept still reaches the pages, which are the next user's.
 */
export class GrantPool {
  /** Every grant of the pool, for handing its references to the peer. Write only to what {@link acquire} hands out. */
  readonly grants: readonly Grant[]
  readonly #works: readonly GrantWork[]
  readonly #control: PoolControl
  readonly #scrub: boolean
  /** What this thread has, by index. */
  readonly #uses: (PooledWork | undefined)[]
  readonly #asPool: PoolOfUses = { giveBack: (use) => this.#giveBack(use) }
  readonly #following: { pool: GrantPool | undefined } | undefined
  readonly #forget: () => void
  #usable: number
  #over: GrantError | undefined
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(works: readonly GrantWork[], control: PoolControl, { grants, scrub, opened }: PoolSetup) {
    this.grants = grants
    this.#works = works
    this.#control = control
    this.#scrub = scrub
    this.#uses = works.map(() => undefined)
    this.#usable = works.length
    for (const [index, work] of this.#works.entries()) work.onEnded(() => this.#grantEnded(index))
    this.#following = this.#owner ? undefined : this.#follow()
    this.#forget = opened({ end: (reason) => this.#end(reason) })
  }

  /** Whether its grants were shared here. */
  get #owner(): boolean {
    return this.#works.some(({ owner }) => owner)
  }

  /** Closes with the pool of the thread that made it. @returns what keeps this pool alive until then */
  #follow(): { pool: GrantPool | undefined } {
    const following: { pool: GrantPool | undefined } = { pool: this }
    void this.#control.whenClosed().then(() => {
      // What fails is tried again when its client closes.
      following.pool?.close().catch(() => {})
    })
    return following
  }

  /** Grants that are not in use at the moment. */
  get free(): number {
    return this.#control.free
  }

  /** A free grant, or undefined. @throws GrantError ERR_GRANTS_CLOSED, ERR_GRANTS_WORKER_DIED */
  tryAcquire(): Grant | undefined {
    const over = this.#over ?? (this.#control.closed ? closedError('the grant pool') : undefined)
    if (over) throw over
    const index = this.#control.take(threadId, (i) => this.#works[i]!.live)
    if (index < 0) return undefined
    const use = new PooledWork(this.#works[index]!, index, this.#asPool)
    this.#uses[index] = use
    return new Grant(use)
  }

  /**
   * A grant, as soon as one is free. Its `unshare()`, and the end of an `await using`, release it.
   * @throws GrantError ERR_GRANTS_CLOSED, ERR_GRANTS_WORKER_DIED: the pool, or its server, is over; the signal's reason
   */
  acquire(options?: AcquireOptions): Promise<Grant> {
    // The hot path: millions a second, if there is one free.
    try {
      const grant = options === undefined ? this.tryAcquire() : undefined
      return grant ? Promise.resolve(grant) : this.#acquire(options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #acquire(options: AcquireOptions | undefined): Promise<Grant> {
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
   * @throws TypeError when it was not acquired from this pool; GrantError ERR_GRANTS_UNSHARED when it has been released
   * already, ERR_GRANTS_BUSY while a fill or a run goes on in it
   */
  release(grant: Grant): void {
    const use = grant instanceof Grant ? actionsOf(grant) : undefined
    if (!(use instanceof PooledWork) || use.pool !== this.#asPool)
      throw invalidArgType('grant', 'a grant acquired from this pool', grant)
    this.#giveBack(use)
  }

  #giveBack(use: PooledWork): void {
    const { index, id } = use
    if (this.#uses[index] !== use || !this.#control.heldBy(index, threadId)) throw releasedError(id)
    if (use.inFlight.busy) {
      const text = `a fill or a run is going on in grant ${id}: await it before the grant is released`
      throw new GrantError('ERR_GRANTS_BUSY', text)
    }
    use.end()
    this.#uses[index] = undefined
    this.#free(index, threadId)
  }

  /** Releases whatever a thread had that has ended without releasing it. @returns how many grants that were */
  reclaim(thread: number): number {
    checkInteger('thread', thread, 0)
    let count = 0
    for (const index of this.#works.keys()) {
      if (!this.#control.heldBy(index, thread)) continue
      this.#uses[index]?.end()
      this.#uses[index] = undefined
      if (this.#free(index, thread)) count++
    }
    return count
  }

  #free(index: number, thread: number): boolean {
    if (this.#scrub) zero(this.#works[index]!.bytes)
    return this.#control.give(index, thread)
  }

  /** For another thread of this process: `GrantClient.pool(handle)` there. */
  handle(): GrantPoolHandle {
    if (this.#over) throw this.#over
    const grants = this.grants.map((grant) => grant.handle())
    return { type: 'xen-grants.pool', control: this.#control.buffer, grants, scrub: this.#scrub }
  }

  /**
   * Unshares the grants, also those that are out: their users find them unshared. Other threads that have joined the pool are
   * told to return their leases, and waited for, unless forced. In such a thread: returns its leases. No acquire() that waits
   * gets one. Calling it again waits for the same end, or forces it.
   */
  close(options?: CloseOptions): Promise<void> {
    return this.#close(checkClose(options))
  }

  #close(force: boolean): Promise<void> {
    this.#end(closedError('the grant pool'))
    if (this.#following) this.#following.pool = undefined
    else this.#control.close()
    if (!this.#closing || force) {
      const closing = Promise.all(this.#works.map((work) => work.unshare({ force }))).then(() => {})
      this.#closing ??= closing
      if (this.#closing !== closing) closing.catch(() => {})
    }
    return this.#closing
  }

  /** Nothing can be acquired any more. */
  #end(reason: GrantError): void {
    if (this.#over) return
    this.#over = reason
    this.#forget()
    this.#control.wake()
  }

  /** Unshared one by one, by whoever has `grants`. */
  #grantEnded(index: number): void {
    this.#uses[index]?.forgetMemory()
    if (--this.#usable === 0)
      this.#end(new GrantError('ERR_GRANTS_UNSHARED', 'every grant of the pool has been unshared'))
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine(
      'GrantPool',
      {
        domid: this.grants[0]?.domid,
        grants: this.grants.length,
        pages: this.grants[0]?.pages,
        free: this.free,
        state: this.#over ? 'closed' : 'open',
      },
      options,
    )
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
