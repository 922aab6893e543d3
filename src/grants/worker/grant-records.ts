import type { PageBuffer } from '../../drivers/page-buffer.js'
import { GrantError } from '../../errors.js'
import type { ClientSession } from './client-session.js'
import type { UnshareRequest } from './request.js'

/** How far a large grant has been given back: after a failure it is tried again from there. */
export interface ReleaseProgress {
  /** Bytes from the first on. */
  scrubbed: number
  unmapped: number
  /** Pages from the first on. */
  freed: number
}

/** One grant as its only owner, the device actor, knows it. */
export interface GrantRecord {
  readonly id: number
  readonly domid: number
  readonly pages: number
  readonly writable: boolean
  /** A status page, see `ShareFlag`. */
  readonly status: boolean
  /** Byte offset in the device file. */
  readonly index: number
  /** What the pages are mapped over: kept from V8 until they are not any more. */
  readonly memory: PageBuffer
  mapped: boolean
  /** What the client was told: id, one reference per page. */
  readonly facts: readonly number[]
  /** The client whose thread shared it. */
  readonly owner: ClientSession
  /** The owner's own lease, which every grant begins with. The mapping stays until the last lease is returned. */
  ownerHolds: boolean
  /** Leases by attaching, by client. Like `armed`, made when needed: most grants never see any. */
  others: Map<ClientSession, number> | undefined
  /** Pages whose unmap notify is armed, with the byte offset in the grant it was armed at. */
  armed: Map<number, number> | undefined
  /** Of a large grant that has begun to be given back. */
  progress: ReleaseProgress | undefined
  /** Given up and waiting for the turn's deallocations: too late for any other operation. */
  staged: boolean
  /**
   * Set once the owner wants its pages back: done when the last lease is returned. Without a request when the owner's
   * thread is gone and there is no caller left to answer.
   */
  unsharing: { request: UnshareRequest | undefined; fireNotify: boolean } | undefined
}

export function holds(record: GrantRecord, session: ClientSession): boolean {
  return (record.ownerHolds && session === record.owner) || (record.others?.has(session) ?? false)
}

export function isHeld(record: GrantRecord): boolean {
  return record.ownerHolds || (record.others !== undefined && record.others.size > 0)
}

export class GrantRecords {
  readonly #byId = new Map<number, GrantRecord>()
  readonly #heldBy = new Map<ClientSession, Set<GrantRecord>>()
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

  /** A fresh grant, of which the client that shared it has the only lease. */
  add(record: GrantRecord): void {
    this.#byId.set(record.id, record)
    this.#live++
    this.#pages += record.pages
    record.ownerHolds = true
    this.#note(record, record.owner)
  }

  addLease(record: GrantRecord, session: ClientSession): void {
    this.#note(record, session)
    if (session === record.owner && !record.ownerHolds) {
      record.ownerHolds = true
      return
    }
    record.others ??= new Map()
    record.others.set(session, (record.others.get(session) ?? 0) + 1)
  }

  /** @returns false when the client has none */
  dropLease(record: GrantRecord, session: ClientSession): boolean {
    const count = record.others?.get(session)
    if (count !== undefined) {
      if (count > 1) record.others!.set(session, count - 1)
      else record.others!.delete(session)
    } else if (session === record.owner && record.ownerHolds) {
      record.ownerHolds = false
    } else {
      return false
    }
    if (!holds(record, session)) this.#heldBy.get(session)?.delete(record)
    return true
  }

  #note(record: GrantRecord, session: ClientSession): void {
    const held = this.#heldBy.get(session)
    if (held) held.add(record)
    else this.#heldBy.set(session, new Set([record]))
  }

  /** What a client has a lease of. A copy: they may go while it is looked at. */
  heldBy(session: ClientSession): GrantRecord[] {
    return [...(this.#heldBy.get(session) ?? [])]
  }

  /** The client is gone, and its leases with it. */
  forget(session: ClientSession): void {
    this.#heldBy.delete(session)
  }

  /** Its pages are back with the driver. */
  remove(record: GrantRecord): void {
    if (!this.#byId.delete(record.id)) return
    this.#live--
    this.#pages -= record.pages
    if (record.ownerHolds) this.#heldBy.get(record.owner)?.delete(record)
    for (const holder of record.others?.keys() ?? []) this.#heldBy.get(holder)?.delete(record)
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
    if (!record) throw unshared(id)
    return record
  }

  find(id: number): GrantRecord | undefined {
    return this.#byId.get(id)
  }
}

export function unshared(id: number): GrantError {
  return new GrantError('ERR_GRANTS_UNSHARED', `grant ${id} has been unshared`)
}
