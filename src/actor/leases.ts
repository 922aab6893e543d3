import { GrantError } from '../errors.js'
import { UnshareFlag } from '../protocol/messages.js'
import type { Budget } from './budget.js'
import { addLease, dropLease, type GrantRecord, type GrantRecords, unshared } from './grants.js'
import type { Releasing } from './releasing.js'
import type { Request } from './request.js'
import type { ClientSession } from './session.js'

/** Who holds which grant, and what happens when the last one lets go. */
export class Leases {
  readonly #records: GrantRecords
  readonly #releasing: Releasing
  readonly #budget: Budget
  readonly #onError: (error: unknown) => void
  /** Grants of clients that are gone which could not be given back. Nobody else will ask again. */
  #orphans: GrantRecord[] = []

  constructor(
    records: GrantRecords,
    releasing: Releasing,
    budget: Budget,
    onError: (error: unknown) => void,
  ) {
    this.#records = records
    this.#releasing = releasing
    this.#budget = budget
    this.#onError = onError
  }

  mustHold(record: GrantRecord, session: ClientSession): void {
    if (!record.leases.has(session)) {
      throw new GrantError('ERR_GRANTS_PROTOCOL', `this client does not hold grant ${record.id}`)
    }
  }

  attach(request: Request): void {
    const record = this.#records.get(request.a)
    if (record.memory !== 'mapped') throw unshared(record.id)
    addLease(record, request.session)
    const { address, domid, pages, writable, refs } = record
    const values = new Float64Array(4 + refs.length)
    values.set([address, domid, pages, Number(writable)])
    values.set(refs, 4)
    request.complete(values)
  }

  detach(request: Request): void {
    const record = this.#records.find(request.a)
    if (record && dropLease(record, request.session)) this.#afterDrop(record)
    request.complete()
  }

  requestUnshare(request: Request): void {
    const record = this.#records.get(request.a)
    this.mustHold(record, request.session)
    record.owner.push({ type: 'unshare-requested', id: record.id })
    request.complete()
  }

  /** Only the owner unshares; its own lease ends with it, unless forced: then it is returned when its work has stopped. */
  unshare(request: Request): void {
    const force = (request.b & UnshareFlag.force) !== 0
    // An orderly unshare of the same turn may be half done.
    if (force) this.#releasing.flush()
    const record = force ? this.#records.getUnsharing(request.a) : this.#records.get(request.a)
    if (record.owner !== request.session) {
      throw new GrantError('ERR_GRANTS_PROTOCOL', `grant ${record.id} belongs to another client`)
    }
    const fireNotify = (request.b & UnshareFlag.fireNotify) !== 0
    if (force) {
      this.#revoke(record, fireNotify, request)
      return
    }
    dropLease(record, request.session)
    record.unsharing = { request, fireNotify }
    if (record.leases.size > 0) request.defer()
    else this.#giveBack(record)
  }

  /** The request no longer wants to wait for other clients' leases. @returns false when it does not */
  withdraw(request: Request): boolean {
    for (const record of this.#records.all()) {
      if (record.unsharing?.request !== request) continue
      // The last lease came back earlier in this turn, and the memory is gone: too late to keep the grant.
      if (record.staged) return false
      record.unsharing = undefined
      addLease(record, request.session)
      return true
    }
    return false
  }

  endOf(session: ClientSession): void {
    for (const record of [...session.held]) {
      while (dropLease(record, session)) {
        // A client may hold several.
      }
      if (record.owner !== session) this.#afterDrop(record)
    }
    for (const record of this.#records.all()) {
      if (record.owner !== session || record.deallocated) continue
      // A thread that has died is what unmap notifications are for: what is armed fires.
      record.unsharing ??= { request: undefined, fireNotify: true }
      record.unsharing.request = undefined
    }
    for (const record of [...this.#records.all()]) {
      if (record.owner === session) this.#afterDrop(record)
    }
  }

  /** Tries again what failed when its client's line had closed. That has been reported, what fails again is not. */
  retryOrphans(): void {
    const orphans = this.#orphans
    this.#orphans = []
    for (const record of orphans) {
      const fireNotify = record.unsharing?.fireNotify ?? false
      const done = (error: unknown): void => {
        if (error !== undefined) {
          this.#orphans.push(record)
          return
        }
        this.#deallocated(record)
        if (record.leases.size === 0) this.#forget(record)
      }
      if (record.leases.size > 0) this.#releasing.revoke(record, fireNotify, done)
      else this.#releasing.giveBack(record, fireNotify, done)
    }
  }

  revokeAll(): void {
    for (const record of [...this.#records.all()]) {
      if (record.deallocated) continue
      this.#revoke(record, false, undefined)
    }
  }

  #afterDrop(record: GrantRecord): void {
    if (record.leases.size > 0) return
    if (record.deallocated) this.#forget(record)
    else if (record.unsharing) this.#giveBack(record)
  }

  #giveBack(record: GrantRecord): void {
    const { request, fireNotify } = record.unsharing!
    this.#releasing.giveBack(record, fireNotify, (error) => {
      // An orphan stays marked, so that nobody attaches to it any more.
      if (error !== undefined && record.owner.ended) this.#orphans.push(record)
      else record.unsharing = undefined
      if (error === undefined) {
        this.#deallocated(record)
        this.#forget(record)
      }
      this.#answer(request, error)
    })
  }

  #revoke(record: GrantRecord, fireNotify: boolean, request: Request | undefined): void {
    const waiting = record.unsharing?.request
    this.#releasing.revoke(record, fireNotify, (error) => {
      if (error === undefined) {
        record.unsharing = undefined
        this.#deallocated(record)
        for (const holder of record.leases.keys()) {
          if (holder !== request?.session) holder.push({ type: 'revoked', id: record.id })
        }
        if (record.leases.size === 0) this.#forget(record)
        if (waiting) waiting.complete()
      } else if (!request) {
        this.#orphans.push(record)
      }
      this.#answer(request, error)
    })
  }

  #answer(request: Request | undefined, error: unknown): void {
    if (error === undefined) request?.complete()
    else if (request) request.fail(error)
    else this.#onError(error)
  }

  #deallocated(record: GrantRecord): void {
    this.#records.markDeallocated(record)
    this.#budget.give(record.domid, record.pages)
  }

  /** Nobody has a view any more: the address range of a revoked grant is free for others. */
  #forget(record: GrantRecord): void {
    if (record.memory === 'zeroed') {
      try {
        this.#releasing.unreserve(record)
      } catch (error) {
        this.#onError(error)
      }
    }
    this.#records.remove(record)
  }
}
