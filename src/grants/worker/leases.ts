import { GrantError } from '../../errors.js'
import type { Budget } from './budget.js'
import type { ClientSession } from './client-session.js'
import { type GrantRecord, type GrantRecords, holds, isHeld, unshared } from './grant-records.js'
import type { Releasing } from './releasing.js'
import type { GrantRequest, UnshareRequest } from './request.js'

const NO_HOLDERS: readonly ClientSession[] = []

/** Who holds which grant, and what happens when the last lease is returned. */
export class Leases {
  readonly #records: GrantRecords
  readonly #releasing: Releasing
  readonly #budget: Budget
  readonly #onError: (error: unknown) => void
  /** Grants of clients that are gone which could not be given back. No client will ask again. */
  #orphans = new Set<GrantRecord>()

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
    if (!holds(record, session)) {
      throw new GrantError('ERR_GRANTS_PROTOCOL', `this client does not hold grant ${record.id}`)
    }
  }

  attach(request: GrantRequest): void {
    const record = this.#records.get(request.grant)
    if (!record.mapped) throw unshared(record.id)
    this.#records.addLease(record, request.session)
    const { memory, domid, pages, writable, facts } = record
    const values = [domid, pages, Number(writable)]
    for (let i = 1; i < facts.length; i++) values.push(facts[i]!)
    request.complete(values, memory.buffer)
  }

  detach(request: GrantRequest): void {
    const record = this.#records.find(request.grant)
    if (record && this.#records.dropLease(record, request.session)) this.#afterDrop(record)
    request.complete()
  }

  requestUnshare(request: GrantRequest): void {
    const record = this.#records.get(request.grant)
    this.mustHold(record, request.session)
    record.owner.push({ type: 'unshare-requested', id: record.id })
    request.complete()
  }

  /** Only the owner unshares; its own lease ends with it. */
  unshare(request: UnshareRequest): void {
    const { session, grant, force, fireNotify } = request
    const record = force ? this.#records.getUnsharing(grant) : this.#records.get(grant)
    if (record.owner !== session) {
      throw new GrantError('ERR_GRANTS_PROTOCOL', `grant ${record.id} belongs to another client`)
    }
    if (record.staged) {
      // On its way back already: there is nothing left to force, only to wait for.
      this.#releasing.join(record, (error) => this.#answer(request, error))
    } else if (force) {
      this.#revoke(record, fireNotify, request)
    } else {
      this.#records.dropLease(record, session)
      record.unsharing = { request, fireNotify }
      if (isHeld(record)) request.defer()
      else this.#giveBack(record)
    }
  }

  /**
   * A request no longer wants to wait for other clients' leases.
   * @returns it; undefined when no such request waits here
   */
  withdraw(session: ClientSession, id: number): UnshareRequest | undefined {
    for (const record of this.#records.all()) {
      const request = record.unsharing?.request
      if (request?.session !== session || request.id !== id) continue
      // The last lease has come back, and the pages are on their way: too late to keep the grant.
      if (record.staged) return undefined
      record.unsharing = undefined
      this.#records.addLease(record, session)
      return request
    }
    return undefined
  }

  endOf(session: ClientSession): void {
    for (const record of this.#records.heldBy(session)) {
      while (this.#records.dropLease(record, session)) {
        // A client may hold several.
      }
      if (record.owner !== session) this.#afterDrop(record)
    }
    for (const record of this.#records.all()) {
      if (record.owner !== session) continue
      // A thread that has died is what unmap notifications are for: what is armed fires.
      record.unsharing ??= { request: undefined, fireNotify: true }
      record.unsharing.request = undefined
    }
    for (const record of [...this.#records.all()]) {
      if (record.owner === session) this.#afterDrop(record)
    }
    this.#records.forget(session)
  }

  /** Tries again what failed when its client's line had closed. That has been reported, what fails again is not. */
  retryOrphans(): void {
    if (this.#orphans.size === 0) return
    const orphans = this.#orphans
    this.#orphans = new Set()
    for (const record of orphans) {
      // Taken back by force meanwhile.
      if (this.#records.find(record.id) !== record) continue
      const fireNotify = record.unsharing?.fireNotify ?? false
      const done = (error: unknown): void => {
        if (error === undefined) this.#gone(record)
        else this.#orphans.add(record)
      }
      this.#releasing.giveBack(record, fireNotify, done)
    }
  }

  revokeAll(): void {
    for (const record of [...this.#records.all()]) if (!record.staged) this.#revoke(record, false, undefined)
  }

  #afterDrop(record: GrantRecord): void {
    if (record.unsharing && !record.staged && !isHeld(record)) this.#giveBack(record)
  }

  #giveBack(record: GrantRecord): void {
    const { request, fireNotify } = record.unsharing!
    this.#releasing.giveBack(record, fireNotify, (error) => {
      // An orphan stays marked, so that no client attaches to it any more.
      if (error !== undefined && record.owner.ended) this.#orphans.add(record)
      else record.unsharing = undefined
      if (error === undefined) this.#gone(record)
      this.#answer(request, error)
    })
  }

  #revoke(record: GrantRecord, fireNotify: boolean, request: UnshareRequest | undefined): void {
    const waiting = record.unsharing?.request
    this.#releasing.giveBack(record, fireNotify, (error) => {
      if (error === undefined) {
        record.unsharing = undefined
        const holders = this.#gone(record)
        if (waiting) waiting.complete()
        request?.complete()
        for (const holder of holders)
          if (holder !== request?.session) holder.push({ type: 'revoked', id: record.id })
        return
      }
      if (!request) this.#orphans.add(record)
      this.#answer(request, error)
      // A last lease that was returned meanwhile has left it to this.
      this.#afterDrop(record)
    })
  }

  #answer(request: UnshareRequest | undefined, error: unknown): void {
    if (error === undefined) request?.complete()
    else if (request) request.fail(error)
    else this.#onError(error)
  }

  /** Its pages are back with the driver. @returns who held it */
  #gone(record: GrantRecord): readonly ClientSession[] {
    this.#records.remove(record)
    this.#budget.give(record)
    if (!isHeld(record)) return NO_HOLDERS
    const holders = new Set(record.others?.keys())
    if (record.ownerHolds) holders.add(record.owner)
    return [...holders]
  }
}
