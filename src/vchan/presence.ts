import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { StorePermission } from '../xenstore/permissions.js'
import { XenStoreError } from '../xenstore/store-error.js'
import type { StoreView } from '../xenstore/store-view.js'
import { whenUnreadable } from '../xenstore/unreadable.js'
import { exchange, type XenStore } from '../xenstore/xen-store.js'
import { NONCE_SIZE } from './layout.js'
import { ownerHasEnded, ownerHere } from './owner.js'

const DIRECTORY = 'open'

/**
 * Nodes of servers that have died in a way that cannot be known here, such as in a container. They stay, since one of them may
 * be that of a vchan that is open, whose client would take its end for that of the domain. A guest has a thousand nodes in all
 * (by default), so a server that finds this many makes none of its own.
 */
const MAX_STRANGERS = 64

/** What this thread knows of a path at which it serves. */
interface Place {
  /** With which the nonces of all vchans that it serves there begin, in hexadecimal, and what its node is called. */
  readonly name: string
  /** Of the vchans that are offered or open there, or about to be. */
  readonly nonces: Set<string>
  /** Whether its node may be there, and whether it is. */
  asked: boolean
  stands: boolean
  crowded: boolean
}

/** Half of a nonce, in bytes. */
const NAME_SIZE = NONCE_SIZE / 2

const places = new WeakMap<XenStore, Map<string, Place>>()
let owner: string | undefined

/**
 * A node beside the keys of the vchans that a thread serves at one path, for as long as one of them is offered or open. Nobody
 * tells a guest that another one has been destroyed; but xenstored removes everything of that one, this node too, and that can
 * be watched. One for all: a domain has a thousand nodes (by default), and may have more connections. It names the thread it
 * belongs to, since that of a process that is killed stays: its next server here removes it.
 */
export class Presence {
  readonly #store: XenStore
  readonly #base: string

  /** @param base absolute */
  constructor(store: XenStore, base: string) {
    this.#store = store
    this.#base = base
  }

  /** Watched by clients, once for all vchans that a domain serves at one path: a guest has few watches. */
  get directory(): string {
    return `${this.#base}/${DIRECTORY}`
  }

  /** Of the vchan with this nonce: a client knows no more than that. */
  nodeOf(nonce: string): string {
    return `${this.directory}/${this.#nameOf(nonce)}`
  }

  #nameOf(nonce: string): string {
    return nonce.slice(0, 2 * NAME_SIZE)
  }

  /** Of a vchan that is going to be offered: {@link remove} in any case. */
  newNonce(): Buffer {
    const place = this.#place()
    const nonce = Buffer.concat([Buffer.from(place.name, 'hex'), randomBytes(NONCE_SIZE - NAME_SIZE)])
    place.nonces.add(nonce.toString('hex'))
    return nonce
  }

  /** In the transaction that publishes the keys. */
  publish(t: StoreView, nonce: string, self: number, peer: number): Promise<void>[] {
    // Domain 0 asks xenstored, and outlives every other; a domain does not outlive itself.
    if (self === 0 || peer === 0 || self === peer) return []
    const place = this.#place()
    if (place.crowded || place.stands) return []
    place.asked = true
    owner ??= ownerHere()
    const permissions: StorePermission[] = [
      { domid: self, access: 'none' },
      { domid: peer, access: 'read' },
    ]
    return [
      t.write(this.nodeOf(nonce), owner),
      // A guest is told of the end of what it may read.
      t.setPermissions(this.directory, permissions),
      t.setPermissions(this.nodeOf(nonce), permissions),
    ]
  }

  /** What {@link publish} has asked for is there. */
  published(): void {
    const place = this.#known
    if (place?.asked) place.stands = true
  }

  /**
   * When the page says that this end is closed, and not before. What cannot be removed now, because xenstored is gone, is left
   * for a later server to remove.
   */
  async remove(nonce: string): Promise<void> {
    const place = this.#known
    if (!place?.nonces.delete(nonce) || place.nonces.size > 0) return
    places.get(this.#store)?.delete(this.#base)
    if (!place.asked) return
    try {
      // By itself as well: in a transaction it may fail for others' sake.
      await Promise.all([this.#store.remove(this.nodeOf(nonce)), this.#removeNodes([this.#nameOf(nonce)])])
    } catch (error) {
      if (!(error instanceof XenStoreError)) throw error
    }
  }

  /** Removes what servers that have died have left here. */
  async tidy(self: number, signal: AbortSignal | undefined): Promise<void> {
    // They write none, see publish().
    if (self === 0) return
    // Done when the first of them was made: who serves many clients is not to look through all of them for each.
    if (this.#known?.nonces.size) return
    const nonces = (await childrenOf(this.#store, this.directory, signal)) ?? []
    const judged = await Promise.all(
      nonces.map(async (nonce) => {
        const value = await this.#store.readText(this.nodeOf(nonce), { signal }).catch(whenUnreadable)
        return value === undefined ? false : ownerHasEnded(value)
      }),
    )
    const strangers = judged.filter((ended) => ended === undefined).length
    if (this.#known || strangers >= MAX_STRANGERS) this.#place().crowded = strangers >= MAX_STRANGERS
    const stale = nonces.filter((_, i) => judged[i] === true)
    if (stale.length > 0) await this.#removeNodes(stale, signal)
  }

  /** And what is empty without them. In a transaction: another server may be about to publish. */
  async #removeNodes(names: readonly string[], signal?: AbortSignal): Promise<void> {
    const read = (t: StoreView): Promise<(string[] | undefined)[]> =>
      Promise.all([childrenOf(t, this.directory), childrenOf(t, this.#base)])
    const write = (t: StoreView, [inside, beside]: (string[] | undefined)[]): Promise<void>[] | undefined => {
      if (!inside) return undefined
      if (inside.every((name) => names.includes(name)))
        return [t.remove((beside?.length ?? 2) > 1 ? this.directory : this.#base)]
      const found = names.filter((name) => inside.includes(name))
      return found.map((name) => t.remove(`${this.directory}/${name}`))
    }
    await exchange(this.#store, { read, write }, signal)
  }

  get #known(): Place | undefined {
    return places.get(this.#store)?.get(this.#base)
  }

  #place(): Place {
    let known = places.get(this.#store)
    if (!known) {
      known = new Map()
      places.set(this.#store, known)
    }
    let place = known.get(this.#base)
    if (!place) {
      place = {
        name: randomBytes(NAME_SIZE).toString('hex'),
        nonces: new Set(),
        asked: false,
        stands: false,
        crowded: false,
      }
      known.set(this.#base, place)
    }
    return place
  }
}

function childrenOf(view: StoreView, path: string, signal?: AbortSignal): Promise<string[] | undefined> {
  return view.list(path, { signal }).catch(whenUnreadable)
}
