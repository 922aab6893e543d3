import { setImmediate } from 'node:timers'
import { threadId } from 'node:worker_threads'
import { PAGE_SIZE } from '../../abi.js'
import type { GrantDevice } from '../../drivers/gntalloc/grant-device.js'
import { busyError, closedError, GrantError } from '../../errors.js'
import {
  type BudgetOptions,
  type DeviceStats,
  type Reply,
  RequestField,
  type SessionEvent,
} from '../grant-messages.js'
import { Admission } from './admission.js'
import { Budget, statusRoom, tableRoom } from './budget.js'
import { ClientSession } from './client-session.js'
import { ClientSessions } from './client-sessions.js'
import { CountedDevice } from './counted-device.js'
import { decodeRequest } from './decode-request.js'
import { GrantRecords } from './grant-records.js'
import { Leases } from './leases.js'
import { type FlushBounds, Releasing } from './releasing.js'
import type { CancelRequest, DomainExistsRequest, NotifyRequest, Request, ShareRequest } from './request.js'
import { takeReserve } from './reserve.js'
import { Sharing } from './sharing.js'

/** Requests carried out in one turn, over all clients. Bounds how long one client can hold up another. */
const TURN = 512
/** What giving back takes of a turn, for the same reason. */
const RELEASE_PER_TURN: FlushBounds = { steps: 8, milliseconds: 1 }

export interface DeviceActorOptions {
  /** Names this server in handles. */
  server: string
  serverThread: number
  budget: BudgetOptions
  scrub: boolean
  /** Something failed that no caller waits for, like taking back the grants of a dead thread. */
  onError(error: unknown): void
}

/**
 * The owner of the device: everything that touches it happens in {@link #turn}, in order. Clients submit batches; a
 * turn takes requests from all clients round robin, gives back first (that makes room), then shares.
 */
export class DeviceActor {
  readonly #device: CountedDevice
  readonly #reserve: number
  readonly #budget: Budget
  readonly #records = new GrantRecords()
  readonly #releasing: Releasing
  readonly #leases: Leases
  readonly #admission: Admission
  readonly #options: DeviceActorOptions
  readonly #sessions = new ClientSessions()
  /** Share requests of the turn that is going on. */
  #shares: ShareRequest[] = []
  #turnScheduled = false
  #closing: { resolve: () => void; promise: Promise<void> } | undefined
  #closed = false
  #operations = 0
  #batches = 0

  constructor(device: GrantDevice, options: DeviceActorOptions) {
    this.#device = new CountedDevice(device)
    this.#options = options
    const { limit, tableCapacity } = device.limits()
    const { maxPages, maxPagesPerDomain, headroom } = options.budget
    this.#reserve = takeReserve(this.#device)
    // A limit of -1 means none to the driver.
    const left =
      limit === undefined || limit < 0 ? Infinity : Math.max(1, limit - this.#reserve - statusRoom(limit))
    const room = Math.max(1, tableRoom(tableCapacity, headroom) - this.#reserve)
    this.#budget = new Budget(maxPages ?? left, maxPagesPerDomain ?? Infinity, room)
    this.#releasing = new Releasing(this.#device, options.scrub)
    this.#leases = new Leases(this.#records, this.#releasing, this.#budget, options.onError)
    const own = (): number => this.#records.pages + this.#reserve
    const sharing = new Sharing(this.#device, this.#records, this.#probe(), own)
    this.#admission = new Admission(
      this.#budget,
      sharing,
      () => this.#releasing.pending,
      () => this.#schedule(),
    )
  }

  /** The index the next allocation gets. A driver without room even for this says so at the first share. */
  #probe(): number {
    try {
      return this.#device.allocate(0, 0, 0).index
    } catch (error) {
      if (error instanceof GrantError && error.code === 'ENOSPC') return 0
      throw error
    }
  }

  connect(post: (message: Reply | SessionEvent) => void, hangUp: () => void): ClientSession {
    const session = new ClientSession(post, hangUp)
    this.#sessions.add(session)
    const { server, serverThread, budget } = this.#options
    const { maxQueue } = budget
    session.push({ type: 'welcome', server, maxQueue, deviceThread: threadId, serverThread })
    if (this.#closing) session.push({ type: 'closing' })
    return session
  }

  /** Every request of the batch is answered through the session: in a turn that is to come, or when it can be. */
  submit(session: ClientSession, numbers: readonly number[]): void {
    this.#batches++
    for (let at = 0; at < numbers.length; at += RequestField.stride) this.#receive(session, numbers, at)
    // A lone one has nothing to wait for.
    if (numbers.length === RequestField.stride && !this.#turnScheduled) this.#turn()
    else this.#schedule()
  }

  #receive(session: ClientSession, numbers: readonly number[], at: number): void {
    try {
      const request = decodeRequest(session, numbers, at)
      this.#mustTake(request)
      request.accept()
      this.#sessions.enqueue(request)
    } catch (error) {
      session.refuse(numbers[at + RequestField.requestId]!, error)
    }
  }

  /** @throws GrantError when it is refused */
  #mustTake({ op, id, session }: Request): void {
    if (session.pending.has(id)) {
      throw new GrantError('ERR_GRANTS_PROTOCOL', `request ${id} has not been answered yet`)
    }
    if (this.#closed || session.ended) throw closedError()
    if (op !== 'share') return
    if (this.#closing) throw closedError()
    const { maxQueue } = this.#options.budget
    // Of this client alone: it does not suffer for what another has sent.
    if (session.pending.size >= maxQueue) throw busyError(maxQueue)
  }

  /**
   * Not at once but after the messages that have already arrived: what several clients ask at the same moment is
   * carried out together.
   */
  #schedule(): void {
    if (this.#turnScheduled) return
    this.#turnScheduled = true
    setImmediate(() => {
      this.#turnScheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    this.#leases.retryOrphans()
    for (const request of this.#sessions.take(TURN)) {
      this.#operations++
      if (request.op === 'share') this.#shares.push(request)
      else this.#carryOut(request)
    }
    this.#releasing.flush(RELEASE_PER_TURN)
    const shares = this.#shares
    this.#shares = []
    this.#admission.admit(shares)
    // Received before the server began to close: what cannot be had at once is not waited for any more.
    if (this.#closing) this.#admission.failAll(closedError())
    this.#sessions.flush()
    if (this.#sessions.queued > 0 || this.#releasing.pending) this.#schedule()
    this.#finishClosing()
  }

  #carryOut(request: Exclude<Request, ShareRequest>): void {
    try {
      switch (request.op) {
        case 'unshare':
          this.#leases.unshare(request)
          return
        case 'attach':
          this.#leases.attach(request)
          return
        case 'detach':
          this.#leases.detach(request)
          return
        case 'set-unmap-notify':
          this.#setUnmapNotify(request)
          return
        case 'request-unshare':
          this.#leases.requestUnshare(request)
          return
        case 'cancel':
          this.#cancel(request)
          return
        case 'domain-exists':
          this.#domainExists(request)
          return
      }
    } catch (error) {
      request.fail(error)
    }
  }

  #setUnmapNotify(request: NotifyRequest): void {
    const { grant: id, offset, action, port, session } = request
    const record = this.#records.get(id)
    this.#leases.mustHold(record, session)
    if (offset >= record.pages * PAGE_SIZE) {
      throw new GrantError('ERR_GRANTS_PROTOCOL', `byte ${offset} is outside grant ${id}`)
    }
    this.#device.setUnmapNotify(record.index + offset, action, port)
    const page = Math.floor(offset / PAGE_SIZE)
    if (action === 0) {
      record.armed?.delete(page)
    } else {
      record.armed ??= new Map()
      record.armed.set(page, offset)
    }
    request.complete()
  }

  #domainExists(request: DomainExistsRequest): void {
    const exists = this.#device.domainExists(request.domid)
    request.complete(exists === undefined ? [] : [Number(exists)])
  }

  #cancel(request: CancelRequest): void {
    const { session, request: id } = request
    const target =
      this.#takeFresh(session, id) ??
      this.#admission.withdraw(session, id) ??
      this.#leases.withdraw(session, id)
    target?.fail(new GrantError('ABORT_ERR', 'the request was withdrawn while it waited'))
    request.complete()
  }

  /** A share that came in the same turn, whose shares are carried out last. */
  #takeFresh(session: ClientSession, id: number): ShareRequest | undefined {
    const at = this.#shares.findIndex((share) => share.session === session && share.id === id)
    return at < 0 ? undefined : this.#shares.splice(at, 1)[0]
  }

  /** The client is gone, or has closed: nothing it held is held any longer, what it owned goes back. */
  end(session: ClientSession): void {
    if (session.ended) return
    session.ended = true
    // What it had asked for is dropped: no one is left to be answered.
    this.#sessions.remove(session)
    this.#admission.withdrawAll(session)
    this.#leases.endOf(session)
    this.#releasing.flush(RELEASE_PER_TURN)
    this.#schedule()
  }

  /**
   * Gives everything back and closes the device. Without force it waits until every client has gone; with force what
   * they still hold is replaced by zero pages.
   */
  async close(force: boolean): Promise<void> {
    if (!this.#closing) {
      let resolve = (): void => {}
      const promise = new Promise<void>((r) => {
        resolve = r
      })
      this.#closing = { resolve, promise }
      this.#sessions.tell({ type: 'closing' })
    }
    this.#admission.failAll(closedError())
    if (force) {
      this.#leases.revokeAll()
      this.#releasing.flush()
      for (const session of this.#sessions.all()) this.#abandon(session)
    }
    this.#sessions.flush()
    this.#finishClosing()
    await this.#closing.promise
  }

  #abandon(session: ClientSession): void {
    const queue = this.#sessions.remove(session)
    for (let request = queue.take(); request; request = queue.take()) request.fail(closedError())
    session.ended = true
    session.flush()
    session.hangUp()
  }

  #finishClosing(): void {
    if (!this.#closing || this.#closed || this.#sessions.count > 0) return
    this.#closed = true
    // A mapping that is left would keep the device's file, and with it the pages, until the process ends.
    this.#leases.retryOrphans()
    this.#releasing.flush()
    this.#device.close()
    this.#closing.resolve()
  }

  stats(): DeviceStats {
    return {
      grants: this.#records.live,
      pages: this.#budget.pages,
      maxPages: this.#budget.maxPages,
      domains: this.#budget.domains(),
      queued: this.#sessions.queued,
      waiting: this.#sessions.waiting,
      reserve: this.#reserve,
      clients: this.#sessions.count,
      operations: this.#operations,
      batches: this.#batches,
      freePerIteration: this.#device.limits().freePerIteration,
      calls: { ...this.#device.calls },
    }
  }
}
