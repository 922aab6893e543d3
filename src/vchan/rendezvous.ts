import type { Buffer } from 'node:buffer'
import type { StorePermission } from '../xenstore/permissions.js'
import type { StoreView } from '../xenstore/store-view.js'
import { exchange, type XenStore } from '../xenstore/xen-store.js'
import { Presence } from './presence.js'
import { Sign } from './sign.js'
import { whenUnreadable } from './unreadable.js'

/** What a server tells its client. */
export interface Keys {
  /** Of the shared page. */
  ref: number
  /** The server's, unbound for the client's domain. */
  port: number
  /**
   * In hexadecimal; the page has the same bytes. References and ports are given to others as soon as they are free, so the keys
   * of a server that has died may lead to another one's vchan. libxenvchan neither writes nor reads it.
   */
  nonce: string | undefined
}

/**
 * How many looks after it was connected the keys of a server without a nonce mean anything. libxenvchan keeps them until it
 * closes; Qubes's, which is made of it, removes them as soon as it has heard of its client.
 */
const KEYS_AFTER = 5

const NAMES = ['ring-ref', 'event-channel', 'id'] as const

/** The place in xenstore where a server and its client meet. */
export class Rendezvous {
  readonly #store: XenStore
  readonly base: string
  readonly #presence: Presence

  /** @param base absolute */
  constructor(store: XenStore, base: string) {
    this.#store = store
    this.base = base
    this.#presence = new Presence(store, base)
  }

  /** Changes when a server comes or goes. */
  get leaf(): string {
    return `${this.base}/${NAMES[0]}`
  }

  /** All at once, for the peer to read. */
  async publish(keys: Keys, self: number, peer: number, signal: AbortSignal | undefined): Promise<void> {
    const permissions: StorePermission[] = [
      { domid: self, access: 'none' },
      { domid: peer, access: 'read' },
    ]
    const { nonce } = keys
    const values = [String(keys.ref), String(keys.port), nonce]
    const write = (t: StoreView): Promise<unknown>[] => {
      const requests = NAMES.flatMap((name, i) => {
        const value = values[i]
        const path = `${this.base}/${name}`
        return value === undefined ? [] : [t.write(path, value), t.setPermissions(path, permissions)]
      })
      if (nonce !== undefined) requests.push(...this.#presence.publish(t, nonce, self, peer))
      return requests
    }
    await exchange(this.#store, { read: async () => {}, write }, signal)
    this.#presence.published()
  }

  /** Of an offer that is going to be published here. */
  newNonce(): Buffer {
    return this.#presence.newNonce()
  }

  /** Removes the keys unless a newer server has replaced them. */
  async withdraw({ ref, port, nonce }: Keys): Promise<void> {
    const own = [String(ref), String(port), nonce]
    await this.#remove((found) => {
      // Of what was refused half way, some may be missing.
      const others = found.some((value, i) => value !== undefined && value !== own[i])
      return !others && (found[0] !== undefined || found[1] !== undefined)
    })
  }

  /** After the page says that the end of a server is closed: its client does not take that for the end of the domain. */
  async leave({ nonce }: Keys): Promise<void> {
    if (nonce !== undefined) await this.#presence.remove(nonce)
  }

  /** Removes what an earlier server has left here. */
  async clear(signal: AbortSignal | undefined): Promise<void> {
    const [exists] = await Promise.all([
      this.#store.exists(this.leaf, { signal }),
      this.#presence.tidy(signal),
    ])
    if (exists) await this.#remove(() => true, signal)
  }

  /** What tells a client in a guest that the domain of the server with these keys is gone, if anything does. */
  async sign(
    { ref, nonce }: Keys,
    domid: number,
    signal: AbortSignal | undefined,
  ): Promise<Sign | undefined> {
    // It outlives every other, and writes none.
    if (domid === 0) return undefined
    const { leaf } = this
    if (nonce === undefined)
      return new Sign(this.#store, { node: leaf, watched: leaf, value: String(ref), after: KEYS_AFTER })
    const [node, watched] = [this.#presence.nodeOf(nonce), this.#presence.directory]
    const found = await this.#store.read(node, { signal }).catch(whenUnreadable)
    return found && new Sign(this.#store, { node, watched })
  }

  /** @param wanted told the values of all keys */
  async #remove(wanted: (found: (string | undefined)[]) => boolean, signal?: AbortSignal): Promise<void> {
    const names: readonly string[] = NAMES
    const read = (t: StoreView): Promise<[(string | undefined)[], string[] | undefined]> =>
      Promise.all([
        Promise.all(NAMES.map((name) => t.readText(`${this.base}/${name}`).catch(whenUnreadable))),
        t.list(this.base).catch(whenUnreadable),
      ])
    const write = (
      t: StoreView,
      [found, children]: Awaited<ReturnType<typeof read>>,
    ): Promise<void>[] | undefined => {
      if (!children || !wanted(found)) return undefined
      // What else is there is not ours.
      const others = children.some((name) => !names.includes(name))
      const paths = children.filter((name) => names.includes(name)).map((name) => `${this.base}/${name}`)
      return (others ? paths : [this.base]).map((path) => t.remove(path))
    }
    await exchange(this.#store, { read, write }, signal)
  }

  /**
   * All keys, of one server if it writes a nonce: what is published and removed at once never has the same nonce again, so
   * that is read first and last. Keys without one may be of two.
   * @returns undefined while there is no server, or none for this domain; 'changed' when another has come meanwhile
   * @throws XenStoreError ERR_GRANTS_PROTOCOL: what is there are no keys
   */
  async read(signal: AbortSignal | undefined): Promise<Keys | 'changed' | undefined> {
    const [ring, port, id] = NAMES.map((name) => `${this.base}/${name}`) as [string, string, string]
    const options = signal && { signal }
    const readNonce = (): Promise<string | undefined> =>
      this.#store.readText(id, options).catch(whenUnreadable)
    const keys = await Promise.all([
      readNonce(),
      this.#store.readInt(ring, options),
      this.#store.readInt(port, options),
      readNonce(),
    ]).catch(whenUnreadable)
    if (!keys) return undefined
    const [before, ref, own, nonce] = keys
    return before === nonce ? { ref, port: own, nonce } : 'changed'
  }
}
