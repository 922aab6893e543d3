import type { StorePermission } from '../xenstore/permissions.js'
import { XenStoreError } from '../xenstore/store-error.js'
import type { StoreView } from '../xenstore/store-view.js'
import type { XenStore } from '../xenstore/xen-store.js'

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

const NAMES = ['ring-ref', 'event-channel', 'id'] as const

/** The place in xenstore where a server and its client meet. */
export class Rendezvous {
  readonly #store: XenStore
  readonly base: string

  /** @param base absolute */
  constructor(store: XenStore, base: string) {
    this.#store = store
    this.base = base
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
    const values = [String(keys.ref), String(keys.port), keys.nonce]
    await this.#store.transaction(
      async (t) => {
        // xenstored does them in this order, without being waited for between.
        await Promise.all(
          NAMES.flatMap((name, i) => {
            const value = values[i]
            const path = `${this.base}/${name}`
            return value === undefined ? [] : [t.write(path, value), t.setPermissions(path, permissions)]
          }),
        )
      },
      { signal },
    )
  }

  /** Removes the keys unless a newer server has replaced them. */
  async withdraw(keys: Keys): Promise<void> {
    await this.#store.transaction(async (t) => {
      const found = await readKeys(t, this.base).catch(whenUnreadable)
      if (found?.ref === keys.ref && found.port === keys.port && found.nonce === keys.nonce)
        await this.#remove(t)
    })
  }

  /** Removes what an earlier server has left here. */
  async clear(signal: AbortSignal | undefined): Promise<void> {
    if (!(await this.#store.exists(this.leaf, { signal }))) return
    await this.#store.transaction((t) => this.#remove(t), { signal })
  }

  async #remove(t: StoreView): Promise<void> {
    const children = await t.list(this.base).catch(whenUnreadable)
    if (!children) return
    const names: readonly string[] = NAMES
    // What else is there is not ours.
    const others = children.some((name) => !names.includes(name))
    const paths = children.filter((name) => names.includes(name)).map((name) => `${this.base}/${name}`)
    await Promise.all((others ? paths : [this.base]).map((path) => t.remove(path)))
  }

  /**
   * @returns undefined while there is no server, or none for this domain
   * @throws XenStoreError ERR_GRANTS_PROTOCOL: what is there are no keys
   */
  async read(signal: AbortSignal | undefined): Promise<Keys | undefined> {
    return readKeys(this.#store, this.base, signal).catch(whenUnreadable)
  }
}

async function readKeys(view: StoreView, base: string, signal?: AbortSignal): Promise<Keys | undefined> {
  const [ref, port, nonce] = await Promise.all([
    view.readInt(`${base}/${NAMES[0]}`, { signal }),
    view.readInt(`${base}/${NAMES[1]}`, { signal }),
    view.readText(`${base}/${NAMES[2]}`, { signal }).catch(whenUnreadable),
  ])
  return { ref, port, nonce }
}

/** xenstored hides from a guest that a node is absent where the guest may not read the one above. */
function whenUnreadable(error: unknown): undefined {
  if (error instanceof XenStoreError && (error.code === 'ENOENT' || error.code === 'EACCES')) return undefined
  throw error
}
