import type { Buffer } from 'node:buffer'
import { parseInteger } from '../xenstore/numbers.js'
import type { StorePermission } from '../xenstore/permissions.js'
import { protocolError } from '../xenstore/store-error.js'
import { readable, type StoreView } from '../xenstore/store-view.js'
import { whenUnreadable } from '../xenstore/unreadable.js'
import { exchange, type XenStore } from '../xenstore/xen-store.js'
import { Presence } from './presence.js'
import { Sign } from './sign.js'

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
    return `${this.base}/ring-ref`
  }

  /** All at once, for the peer to read. */
  async publish(keys: Keys, self: number, peer: number, signal: AbortSignal | undefined): Promise<void> {
    const permissions: StorePermission[] = [
      { domid: self, access: 'none' },
      { domid: peer, access: 'read' },
    ]
    const { nonce } = keys
    const values = valuesOf(keys)
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

  /** Removes the keys unless a newer server has replaced them: one on libxenvchan leaves the nonce as it is. */
  async withdraw(keys: Keys): Promise<void> {
    const own = valuesOf(keys)
    await this.#remove((found) => {
      // Of what was refused half way, some may be missing.
      const others = found.some((value, i) => value !== undefined && value !== own[i])
      return !others && found.some((value) => value !== undefined)
    })
  }

  /** After the page says that the end of a server is closed: its client does not take that for the end of the domain. */
  async leave({ nonce }: Keys): Promise<void> {
    if (nonce !== undefined) await this.#presence.remove(nonce)
  }

  /** Removes what an earlier server has left here. @param self the domain that serves */
  async clear(self: number, signal: AbortSignal | undefined): Promise<void> {
    const [left] = await Promise.all([
      readable(this.#store, this.leaf, signal),
      this.#presence.tidy(self, signal),
    ])
    if (left !== undefined) await this.#remove(() => true, signal)
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
    const found = await readable(this.#store, node, signal)
    return found && new Sign(this.#store, { node, watched })
  }

  /** @param wanted told the values of all keys */
  async #remove(wanted: (found: (string | undefined)[]) => boolean, signal?: AbortSignal): Promise<void> {
    const names: readonly string[] = NAMES
    const read = async (t: StoreView): Promise<string[] | undefined> => {
      const [found, children] = await Promise.all([
        Promise.all(NAMES.map((name) => readable(t, `${this.base}/${name}`))),
        t.list(this.base).catch(whenUnreadable),
      ])
      return wanted(found.map(textOf)) ? children : undefined
    }
    const write = (t: StoreView, children: string[] | undefined): Promise<void>[] | undefined => {
      if (!children) return undefined
      // What else is there is not ours.
      const others = children.some((name) => !names.includes(name))
      const paths = children.filter((name) => names.includes(name)).map((name) => `${this.base}/${name}`)
      return (others ? paths : [this.base]).map((path) => t.remove(path))
    }
    await exchange(this.#store, { read, write }, signal)
  }

  /**
   * All keys, of one server if it writes a nonce. Servers publish theirs at once, and a nonce is never the same again, so that is
   * read first and last; one on libxenvchan leaves it as it is, but not the reference. Keys without a nonce may be of two.
   * @returns undefined while there is no server, or none for this domain; 'changed' when another has come meanwhile
   * @throws XenStoreError ERR_GRANTS_PROTOCOL: what is there are no keys
   */
  async read(signal: AbortSignal | undefined): Promise<Keys | 'changed' | undefined> {
    const names = ['id', 'ring-ref', 'event-channel', 'ring-ref', 'id']
    const found = await Promise.all(
      names.map((name) => readable(this.#store, `${this.base}/${name}`, signal)),
    )
    const [before, ref, port, again, nonce] = found.map(textOf)
    if (ref === undefined || port === undefined) return undefined
    if (before !== nonce || ref !== again) return 'changed'
    return { ref: this.#number(NAMES[0], ref), port: this.#number(NAMES[1], port), nonce }
  }

  /** Whether {@link read} could find any. */
  async stands(signal: AbortSignal | undefined): Promise<boolean> {
    return (await readable(this.#store, this.leaf, signal)) !== undefined
  }

  #number(name: string, value: string): number {
    const number = parseInteger(value)
    if (number !== undefined) return number
    const path = `${this.base}/${name}`
    throw protocolError('the value is not a decimal integer', { operation: 'readInt', path })
  }
}

/** In the order of the names. */
function valuesOf({ ref, port, nonce }: Keys): (string | undefined)[] {
  return [String(ref), String(port), nonce]
}

function textOf(value: Buffer | undefined): string | undefined {
  return value?.toString('latin1')
}
