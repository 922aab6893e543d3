import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { MessagePort } from 'node:worker_threads'
import { checkOptions, invalidArgType } from '../arguments.js'
import { published } from '../diagnostics.js'
import { assertSupported } from '../drivers/support.js'
import { closedError, GrantError } from '../errors.js'
import { checkFillers, IN_PLACE_BELOW } from '../fill/filler-options.js'
import { type FillerOptions, FillerPool } from '../fill/pool.js'
import { type CloseOptions, checkClose } from '../threads/close-options.js'
import { handOver } from '../threads/orphans.js'
import type { ClientContext } from './client-context.js'
import { Connection, type Pending } from './device-connection.js'
import { Grant, takenByForce } from './grant.js'
import { Op, type SessionEvent } from './grant-messages.js'
import { checkHandle, type GrantHandle } from './handle.js'
import { OpenGrants } from './open-grants.js'
import { Deferred } from './peer/deferred-pages.js'
import { domainExistsOver } from './peer/domain-exists.js'
import { StatusPages } from './peer/status-pages.js'
import { PendingShare, type Sharer } from './pending-share.js'
import type { GrantPool, GrantPoolHandle, PoolOptions } from './pool/grant-pool.js'
import { makePool } from './pool/make-pool.js'
import { checkShare, type ShareOptions } from './share-options.js'
import type { ClientStats } from './stats.js'

export interface ConnectOptions {
  /** The filler threads of this thread's grants; they start when first needed. */
  fillers?: FillerOptions
}

/** A thread's access to a GrantServer of the same process, straight to its device worker. */
export class GrantClient {
  readonly #context: ClientContext
  readonly #latency: RecordableHistogram = createHistogram()
  readonly #fills = { count: 0, bytes: 0, milliseconds: 0 }
  /** Shares that are on their way, by request. */
  readonly #sharing = new Map<number, Promise<unknown>>()
  readonly #sharer: Sharer
  #closing: Promise<void> | undefined

  private constructor(context: Omit<ClientContext, 'filled'>) {
    this.#context = {
      ...context,
      filled: ({ bytes, milliseconds }) => {
        this.#fills.count++
        this.#fills.bytes += bytes
        this.#fills.milliseconds += milliseconds
      },
    }
    this.#sharer = {
      context: this.#context,
      latency: this.#latency,
      // close() withdraws what has not been served yet.
      reasonOf: (error) =>
        this.#closing && error instanceof GrantError && error.code === 'ABORT_ERR' ? closedError() : error,
      settled: (id) => this.#sharing.delete(id),
    }
  }

  /**
   * @param port what `server.connect()` returned, transferred to this thread; it belongs to the client from now on
   * @throws GrantError ERR_GRANTS_CLOSED, ERR_GRANTS_WORKER_DIED, ERR_GRANTS_UNSUPPORTED
   */
  static async connect(port: MessagePort, options?: ConnectOptions): Promise<GrantClient> {
    const { fillers } = checkOptions<ConnectOptions>('options', options, ['fillers'])
    const checkedFillers = checkFillers(fillers)
    if (!(port instanceof MessagePort))
      throw invalidArgType('port', 'a MessagePort from server.connect()', port)
    assertSupported()
    FillerPool.preload()
    const grants = new OpenGrants()
    return new Promise((resolve, reject) => {
      let client: GrantClient | undefined
      const connection = new Connection(port, {
        onEvent: (event) => {
          if (event.type === 'welcome') {
            const { server, deviceThread, serverThread } = event
            const pool = new FillerPool(checkedFillers, () => {})
            const inPlaceBelow = checkedFillers.inPlaceBelow ?? IN_PLACE_BELOW
            const board = new StatusPages((domid) => client!.share({ domid, pages: 1, writable: true }))
            const domainExists = domainExistsOver(connection)
            const deferred = new Deferred(domainExists)
            const peers = { board, deferred, domainExists }
            const shared = { connection, fillers: pool, inPlaceBelow, server, deviceThread, serverThread }
            client = new GrantClient({ ...shared, ...peers, grants, unclaimed: new Set() })
            resolve(client)
          } else {
            if (client) client.#handle(event)
          }
        },
        onLost: (error) => {
          void client?.lose(error)
          reject(error)
        },
      })
    })
  }

  #handle(event: SessionEvent): void {
    switch (event.type) {
      case 'revoked':
        for (const grant of this.#context.grants.withId(event.id)) grant.revoke(takenByForce(event.id))
        break
      case 'unshare-requested':
        // What goes wrong is reported by the device worker: the grant can be unshared again.
        for (const grant of this.#context.grants.withId(event.id)) grant.unshare().catch(() => {})
        break
      case 'closing':
        void this.close()
        break
    }
  }

  /**
   * Grants fresh, zeroed pages to another domain.
   *
   * @throws GrantError ENOSPC (see `reason`), ENOMEM, ERR_GRANTS_QUOTA, ERR_GRANTS_BUSY, ERR_GRANTS_CLOSED,
   * ERR_GRANTS_WORKER_DIED; RangeError or TypeError before anything is done; the signal's reason
   */
  share(options: ShareOptions): Promise<Grant> {
    let pending: PendingShare | undefined
    const sharing = new Promise<Grant>((resolve, reject) => {
      const checked = checkShare(options)
      if (this.#closing) throw closedError()
      pending = new PendingShare(this.#sharer, checked, resolve, reject)
    })
    if (pending) this.#sharing.set(pending.id, sharing)
    return sharing
  }

  /**
   * Another thread's grant, here: the same pages, a view of this thread's own. They stay mapped until the Grant that this
   * returns has been unshared, which returns its lease but takes nothing back. Each call takes a lease of its own, also for
   * a handle that this thread has attached to already, or of a grant it has shared itself.
   *
   * @throws GrantError ERR_GRANTS_UNSHARED when the grant is gone
   */
  attach(handle: GrantHandle): Promise<Grant> {
    return published('attach', () => this.#attach(handle))
  }

  async #attach(handle: GrantHandle): Promise<Grant> {
    const { server, id } = checkHandle(handle)
    const { connection } = this.#context
    if (server !== this.#context.server) throw invalidArgType('handle', 'a handle of the same server', handle)
    if (this.#closing) throw closedError()
    return new Promise((resolve, reject) => {
      const answered: Pending['answered'] = (values, at, count, buffers) => {
        if (this.#closing) {
          connection.request(Op.detach, id).catch(() => {})
          reject(closedError())
          return
        }
        const refs = [...values.subarray(at + 4, at + count)]
        const facts = { id, domid: values[at + 1]!, writable: values[at + 3] === 1, refs, owner: false }
        // Here, before the next message is looked at: it may say that the grant has been taken back by force.
        resolve(new Grant({ ...facts, buffer: buffers[values[at]!]! }, this.#context))
      }
      connection.send({ answered, failed: reject }, Op.attach, id)
    })
  }

  /**
   * Persistent grants: see {@link GrantPool}. All grants are made now, or none.
   * @param options what to make, or the handle of a pool made in another thread
   * @throws what {@link share} or {@link attach} throws
   */
  pool(options: PoolOptions | GrantPoolHandle): Promise<GrantPool> {
    return makePool(this, options)
  }

  async stats(): Promise<ClientStats> {
    const device = await this.#context.connection.stats()
    const { count, bytes, milliseconds } = this.#fills
    const ms = (p: number): number => (this.#latency.count === 0 ? 0 : this.#latency.percentile(p) / 1e6)
    return {
      ...device,
      deferred: await this.#context.deferred.stats(device.freePerIteration),
      shareLatency: {
        count: this.#latency.count,
        p50: ms(50),
        p99: ms(99),
        max: this.#latency.count ? this.#latency.max / 1e6 : 0,
      },
      fills: {
        count,
        bytes,
        milliseconds,
        bytesPerSecond: milliseconds === 0 ? 0 : (bytes / milliseconds) * 1000,
      },
    }
  }

  /** Unshares this thread's grants, returns its leases and hangs up. Calling it again waits for the same end. */
  close(options?: CloseOptions): Promise<void> {
    const force = checkClose(options)
    if (force) this.#forced = true
    this.#closing ??= this.#close()
    if (force) for (const grant of this.#context.grants.all()) void grant.unshare({ force }).catch(() => {})
    return this.#closing
  }

  #forced = false

  async #close(): Promise<void> {
    const { connection, fillers, grants } = this.#context
    for (const id of this.#sharing.keys()) connection.cancel(id)
    await Promise.allSettled(this.#sharing.values())
    // What fails here is tried once more by the device worker when the line closes, and reported by it.
    await Promise.allSettled(grants.all().map((grant) => grant.unshare({ force: this.#forced })))
    // Only when no thread of ours can touch the memory does the device worker hear that nobody holds it.
    await fillers.close()
    connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /**
   * Whether the line to the device worker is dead.
   * @internal
   */
  get lost(): boolean {
    return this.#context.connection.lost
  }

  /**
   * The line is dead. What its grants were is made harmless; resolves when that is done, as far as it can be. Never rejects.
   * @internal
   */
  lose(error: GrantError): Promise<void> {
    this.#losing ??= this.#lose(error)
    return this.#losing
  }

  #losing: Promise<void> | undefined

  async #lose(error: GrantError): Promise<void> {
    const { connection, serverThread, fillers } = this.#context
    const grants = this.#context.grants.all()
    const orphans = [...grants.map(({ memory }) => memory), ...this.#context.unclaimed]
    connection.fail(error)
    for (const grant of grants) grant.revoke(error)
    // Nobody closes a client that has been replaced: its filler threads end when nothing runs in them any more.
    void Promise.all(grants.map((grant) => grant.idle())).then(() => fillers.close())
    await handOver(orphans, serverThread)
  }
}
