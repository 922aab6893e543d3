import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { MessagePort } from 'node:worker_threads'
import { onAbort } from '../abort.js'
import { invalidArgType } from '../arguments.js'
import { published } from '../diagnostics.js'
import { closedError, GrantError } from '../errors.js'
import { type FillerOptions, IN_PLACE_BELOW } from '../fill/filler-options.js'
import { FillerThreads } from '../fill/filler-threads.js'
import { FillMeter } from '../fill/meter.js'
import { FillerPool } from '../fill/pool.js'
import { Lifecycle } from '../threads/lifecycle.js'
import { handOver } from '../threads/orphans.js'
import type { ClientContext } from './client-context.js'
import { Connection, type Pending } from './device-connection.js'
import { Grant } from './grant.js'
import { Op, type SessionEvent } from './grant-messages.js'
import { GrantWork, takenByForce } from './grant-work.js'
import { checkHandle, type GrantHandle } from './handle.js'
import { OpenGrants } from './open-grants.js'
import { Deferred } from './peer/deferred-pages.js'
import { domainExistsOver } from './peer/domain-exists.js'
import { StatusPages } from './peer/status-pages.js'
import { PendingShare, type Sharer } from './pending-share.js'
import type { GrantPool, PoolEnd } from './pool/grant-pool.js'
import { type GrantSource, makePool } from './pool/make-pool.js'
import type { GrantPoolHandle, PoolOptions } from './pool/pool-options.js'
import { claimPort } from './session-port.js'
import { type CheckedShare, checkShare, type ShareOptions } from './share-options.js'
import type { ClientStats } from './stats.js'

/** A thread's access to the device worker of a server. Users see it as a {@link GrantClient} or a {@link GrantServer}. */
export class ClientCore implements GrantSource {
  readonly #context: ClientContext
  readonly #latency: RecordableHistogram = createHistogram()
  /** Shares that are on their way, by request. */
  readonly #sharing = new Map<number, Promise<unknown>>()
  readonly #sharer: Sharer
  readonly #pools = new Set<PoolEnd>()
  readonly #lifecycle = new Lifecycle()

  private constructor(context: ClientContext) {
    this.#context = context
    this.#sharer = {
      context: this.#context,
      latency: this.#latency,
      // close() withdraws what has not been served yet.
      reasonOf: (error) =>
        this.#lifecycle.closing && error instanceof GrantError && error.code === 'ABORT_ERR'
          ? closedError()
          : error,
      settled: (id) => this.#sharing.delete(id),
    }
  }

  /**
   * @param port see `GrantClient.connect`
   * @param fillers has been checked
   */
  static connect(
    port: MessagePort,
    fillers: FillerOptions,
    signal: AbortSignal | undefined,
  ): Promise<ClientCore> {
    claimPort(port)
    FillerThreads.preload()
    const grants = new OpenGrants()
    let takeBack = (): void => {}
    const connected = new Promise<ClientCore>((resolve, reject) => {
      let client: ClientCore | undefined
      const connection = new Connection(port, {
        onEvent: (event) => {
          if (event.type === 'welcome') {
            const { server, deviceThread, serverThread } = event
            const pool = new FillerPool(fillers)
            const inPlaceBelow = fillers.inPlaceBelow ?? IN_PLACE_BELOW
            const statusPages = new StatusPages((domid, wait, signal) =>
              client!.#share(() => ({ domid, pages: 1, writable: true, wait, signal, status: true })),
            )
            const domainExists = domainExistsOver(connection)
            const deferred = new Deferred(domainExists)
            const peers = { statusPages, deferred, domainExists }
            const filling = { fillers: pool, inPlaceBelow, meter: new FillMeter() }
            const shared = { connection, ...filling, server, deviceThread, serverThread }
            client = new ClientCore({ ...shared, ...peers, grants, unclaimed: new Set() })
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
      if (signal)
        takeBack = onAbort(signal, () => {
          connection.close()
          reject(signal.reason)
        })
    })
    return connected.finally(() => takeBack())
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
        void this.close(false)
        break
    }
  }

  share(options: ShareOptions): Promise<Grant> {
    return this.#share(() => checkShare(options))
  }

  #share(checked: () => CheckedShare): Promise<Grant> {
    let pending: PendingShare | undefined
    const sharing = new Promise<Grant>((resolve, reject) => {
      const options = checked()
      this.#lifecycle.mustBeOpen()
      pending = new PendingShare(this.#sharer, options, resolve, reject)
    })
    if (pending) this.#sharing.set(pending.id, sharing)
    return sharing
  }

  attach(handle: GrantHandle): Promise<Grant> {
    return published('attach', () => this.#attach(handle))
  }

  async #attach(handle: GrantHandle): Promise<Grant> {
    const { server, id } = checkHandle(handle)
    const { connection } = this.#context
    if (server !== this.#context.server) throw invalidArgType('handle', 'a handle of the same server', handle)
    this.#lifecycle.mustBeOpen()
    return new Promise((resolve, reject) => {
      const answered: Pending['answered'] = (values, at, count, buffers) => {
        if (this.#lifecycle.closing) {
          connection.request(Op.detach, id).catch(() => {})
          reject(closedError())
          return
        }
        const refs = [...values.slice(at + 4, at + count)]
        const facts = { id, domid: values[at + 1]!, writable: values[at + 3] === 1, refs, owner: false }
        // Here, before the next message is looked at: it may say that the grant has been taken back by force.
        resolve(new Grant(new GrantWork({ ...facts, buffer: buffers[values[at]!]! }, this.#context)))
      }
      connection.send({ answered, failed: reject }, Op.attach, id)
    })
  }

  pool(options: PoolOptions | GrantPoolHandle): Promise<GrantPool> {
    return makePool(this, options, (end) => {
      this.#pools.add(end)
      return () => this.#pools.delete(end)
    })
  }

  async stats(): Promise<ClientStats> {
    const device = await this.#context.connection.stats()
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
      fills: this.#context.meter.stats(),
    }
  }

  close(force: boolean): Promise<void> {
    if (force) this.#forced = true
    const closed = this.#lifecycle.close(() => this.#close())
    if (force) for (const grant of this.#context.grants.all()) grant.unshare({ force }).catch(() => {})
    return closed
  }

  #forced = false

  async #close(): Promise<void> {
    const { connection, fillers, grants } = this.#context
    for (const pool of this.#pools) pool.end(closedError())
    for (const id of this.#sharing.keys()) connection.cancel(id)
    await Promise.allSettled(this.#sharing.values())
    // What fails here is tried once more by the device worker when the line closes, and reported by it.
    await Promise.allSettled(grants.all().map((grant) => grant.unshare({ force: this.#forced })))
    // Only when no thread of ours can touch the memory does the device worker hear that no lease is left.
    await fillers.close()
    connection.close()
  }

  /** For people. */
  get state(): string {
    return this.lost && !this.#lifecycle.closing ? 'lost' : this.#lifecycle.state
  }

  /** Whether the line to the device worker is dead. */
  get lost(): boolean {
    return this.#context.connection.lost
  }

  /**
   * The line is dead. What its grants were is made harmless; resolves when that is done, as far as it can be. Never rejects.
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
    for (const pool of this.#pools) pool.end(error)
    for (const grant of grants) grant.revoke(error)
    // A client that has been replaced is never closed: its filler threads end when nothing runs in them any more.
    void Promise.all(grants.map((grant) => grant.idle())).then(() => fillers.close())
    await handOver(orphans, serverThread)
  }
}
