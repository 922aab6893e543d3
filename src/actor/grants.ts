import { GrantError } from '../errors.js'
import type { Request } from './request.js'
import type { ClientSession } from './session.js'

/** One grant as its only owner, the device actor, knows it. */
export interface GrantRecord {
  readonly id: number
  readonly domid: number
  readonly pages: number
  readonly writable: boolean
  /** Byte offset in the device file. */
  readonly index: number
  readonly address: number
  readonly refs: Uint32Array
  /** The client whose thread shared it. */
  readonly owner: ClientSession
  /** Leases by client: the owner's own, and one per attach. The mapping stays until the last is returned. */
  readonly leases: Map<ClientSession, number>
  /** Pages whose unmap notify is armed, as byte offsets in the grant. */
  readonly armed: Map<number, number>
  /**
   * `mapped`: device pages at `address`. `zeroed`: the device pages are let go, zero pages keep the range until the
   * last lease is returned. `unmapped`: nothing at `address` any more, only the deallocation has still to succeed.
   */
  memory: 'mapped' | 'zeroed' | 'unmapped'
  /** Let go of and waiting for the turn's deallocations: too late for any other operation. */
  staged: boolean
  /** The pages are back with the driver. */
  deallocated: boolean
  /** Slot in the mapping ledger while `memory` is not 'unmapped'. */
  slot: number
  /**
   * Set once the owner wants its pages back: done when the last lease is returned. Without a request when the owner's
   * thread is gone and nobody is left to be answered.
   */
  unsharing: { request: Request | undefined; fireNotify: boolean } | undefined
}

export function addLease(record: GrantRecord, session: ClientSession): void {
  record.leases.set(session, (record.leases.get(session) ?? 0) + 1)
  session.held.add(record)
}

/** @returns false when the client has none */
export function dropLease(record: GrantRecord, session: ClientSession): boolean {
  const count = record.leases.get(session)
  if (count === undefined) return false
  if (count > 1) {
    record.leases.set(session, count - 1)
  } else {
    record.leases.delete(session)
    session.held.delete(record)
  }
  return true
}

export class GrantRecords {
  readonly #byId = new Map<number, GrantRecord>()
  /** Ids are never reused: a stale handle names nothing rather than a stranger's grant. */
  #nextId = 1
  #live = 0
  #pages = 0

  nextId(): number {
    return this.#nextId++
  }

  /** Grants whose pages are not back with the driver. */
  get live(): number {
    return this.#live
  }

  /** Pages of these. */
  get pages(): number {
    return this.#pages
  }

  add(record: GrantRecord): void {
    this.#byId.set(record.id, record)
    this.#live++
    this.#pages += record.pages
  }

  markDeallocated(record: GrantRecord): void {
    record.deallocated = true
    this.#live--
    this.#pages -= record.pages
  }

  remove(record: GrantRecord): void {
    this.#byId.delete(record.id)
  }

  all(): IterableIterator<GrantRecord> {
    return this.#byId.values()
  }

  /** @throws GrantError ERR_GRANTS_UNSHARED when its pages are back with the driver, or are on their way */
  get(id: number): GrantRecord {
    const record = this.getUnsharing(id)
    if (record.unsharing || record.staged) throw unshared(id)
    return record
  }

  /** The same, also while an unshare waits for leases. */
  getUnsharing(id: number): GrantRecord {
    const record = this.#byId.get(id)
    if (!record || record.deallocated) throw unshared(id)
    return record
  }

  /** Also when only its address range is left. */
  find(id: number): GrantRecord | undefined {
    return this.#byId.get(id)
  }
}

export function unshared(id: number): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', `grant ${id} has been unshared`)
}
