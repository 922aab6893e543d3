import { GrantError } from '../errors.js'
import { UnshareFlag } from '../protocol/messages.js'
import type { Budget } from './budget.js'
import {
  addLease,
  dropLease,
  type GrantRecord,
  type GrantRecords,
  holds,
  isHeld,
  unshared,
} from './grants.js'
import type { Releasing } from './releasing.js'
import type { Request } from './request.js'
import type { ClientSession } from './session.js'

const NOBODY: readonly ClientSession[] = []

/** Who holds which grant, and what happens when the last one lets go. */
export class Leases {
  readonly #records: GrantRecords
  readonly #releasing: Releasing
  readonly #budget: Budget
  readonly #onError: (error: unknown) => void
  /** Grants of clients that are gone which could not be given back. Nobody else will ask again. */
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

  attach(request: Request): void {
    const record = this.#records.get(request.a)
    if (!record.mapped) throw unshared(record.id)
    addLease(record, request.session)
    const { memory, domid, pages, writable, facts } = record
    const values = [domid, pages, Number(writable)]
    for (let i = 1; i < facts.length; i++) values.push(facts[i]!)
    request.complete(values, memory.buffer)
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

  /** Only the owner unshares; its own lease ends with it. */
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
    if (isHeld(record)) request.defer()
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
      if (record.owner !== session) continue
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
    for (const record of [...this.#records.all()]) this.#revoke(record, false, undefined)
  }

  #afterDrop(record: GrantRecord): void {
    if (record.unsharing && !record.staged && !isHeld(record)) this.#giveBack(record)
  }

  #giveBack(record: GrantRecord): void {
    const { request, fireNotify } = record.unsharing!
    this.#releasing.giveBack(record, fireNotify, (error) => {
      // An orphan stays marked, so that nobody attaches to it any more.
      if (error !== undefined && record.owner.ended) this.#orphans.add(record)
      else record.unsharing = undefined
      if (error === undefined) this.#gone(record)
      this.#answer(request, error)
    })
  }

  #revoke(record: GrantRecord, fireNotify: boolean, request: Request | undefined): void {
    const waiting = record.unsharing?.request
    this.#releasing.giveBack(record, fireNotify, (error) => {
      if (error === undefined) {
        record.unsharing = undefined
        for (const holder of this.#gone(record)) {
          if (holder !== request?.session) holder.push({ type: 'revoked', id: record.id })
        }
        if (waiting) waiting.complete()
      } else if (!request) {
        this.#orphans.add(record)
      }
      this.#answer(request, error)
      // A last lease that was returned meanwhile has left it to this.
      if (error !== undefined) this.#afterDrop(record)
    })
  }

  #answer(request: Request | undefined, error: unknown): void {
    if (error === undefined) request?.complete()
    else if (request) request.fail(error)
    else this.#onError(error)
  }

  /** Its pages are back with the driver. @returns who held it */
  #gone(record: GrantRecord): readonly ClientSession[] {
    this.#records.remove(record)
    this.#budget.give(record.domid, record.pages)
    if (!isHeld(record)) return NOBODY
    const holders = [...(record.others?.keys() ?? [])]
    if (record.ownerHolds) holders.push(record.owner)
    for (const holder of holders) holder.held.delete(record)
    return holders
  }
}
