import { type InspectOptionsStylized, inspect } from 'node:util'
import type { MessagePort } from 'node:worker_threads'
import { checkOptions, checkSignal } from '../arguments.js'
import { assertSupported } from '../drivers/support.js'
import type { FillerOptions } from '../fill/filler-options.js'
import { checkFillers } from '../fill/filler-options.js'
import { inLine } from '../inspect.js'
import { type CloseOptions, checkClose } from '../threads/close-options.js'
import { ClientCore } from './client-core.js'
import type { Grant } from './grant.js'
import type { GrantHandle } from './handle.js'
import type { GrantPool } from './pool/grant-pool.js'
import type { GrantPoolHandle, PoolOptions } from './pool/pool-options.js'
import type { ShareOptions } from './share-options.js'
import type { ClientStats } from './stats.js'

/** How a thread connects to a server of its process. */
export interface ConnectOptions {
  /** The filler threads of this thread's grants; they start when first needed. */
  fillers?: FillerOptions | undefined
  /** Stops waiting for the device worker, which may be busy; the port is closed then. Once connected it has no effect. */
  signal?: AbortSignal | undefined
}

/** A thread's access to a GrantServer of the same process, straight to its device worker. */
export class GrantClient {
  readonly #core: ClientCore

  private constructor(core: ClientCore) {
    this.#core = core
  }

  /**
   * @param port what `server.connect()` returned, transferred to this thread; it belongs to the client from now on
   * @throws TypeError for any other port, and for one that has been used; GrantError ERR_GRANTS_CLOSED,
   * ERR_GRANTS_WORKER_DIED, ERR_GRANTS_UNSUPPORTED; the signal's reason
   */
  static async connect(port: MessagePort, options?: ConnectOptions): Promise<GrantClient> {
    const { fillers, signal } = checkOptions<ConnectOptions>('options', options, ['fillers', 'signal'])
    const checked = checkFillers(fillers)
    checkSignal('options.signal', signal)
    assertSupported()
    return new GrantClient(await ClientCore.connect(port, checked, signal))
  }

  /**
   * Grants fresh, zeroed pages to another domain.
   *
   * @throws GrantError ENOSPC (see `reason`), ENOMEM, ERR_GRANTS_QUOTA, ERR_GRANTS_BUSY, ERR_GRANTS_CLOSED,
   * ERR_GRANTS_WORKER_DIED; RangeError or TypeError before anything is done; the signal's reason
   */
  share(options: ShareOptions): Promise<Grant> {
    return this.#core.share(options)
  }

  /**
   * Another thread's grant, here: the same pages, a view of this thread's own. They stay mapped until the Grant that this
   * returns has been unshared, which returns its lease but takes nothing back. Each call takes a lease of its own, also for
   * a handle that this thread has attached to already, or of a grant it has shared itself.
   *
   * @throws GrantError ERR_GRANTS_UNSHARED when the grant is gone
   */
  attach(handle: GrantHandle): Promise<Grant> {
    return this.#core.attach(handle)
  }

  /**
   * Persistent grants: see {@link GrantPool}. All grants are made now, or none.
   * @param options what to make, or the handle of a pool made in another thread
   * @throws what {@link share} or {@link attach} throws
   */
  pool(options: PoolOptions | GrantPoolHandle): Promise<GrantPool> {
    return this.#core.pool(options)
  }

  /**
   * Numbers of the whole server, and of this thread's use of it. @throws GrantError ERR_GRANTS_CLOSED,
   * ERR_GRANTS_WORKER_DIED
   */
  stats(): Promise<ClientStats> {
    return this.#core.stats()
  }

  /** Unshares this thread's grants, returns its leases and hangs up. Calling it again waits for the same end. */
  close(options?: CloseOptions): Promise<void> {
    return this.#core.close(checkClose(options))
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inLine('GrantClient', { state: this.#core.state }, options)
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
