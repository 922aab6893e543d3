import { randomBytes } from 'node:crypto'
import { GrantError } from '../errors.js'
import { absolute } from '../vchan/options.js'
import { ownerHasEnded, ownerHere } from '../vchan/owner.js'
import type { DomainParts } from '../vchan/vigil.js'
import { XenStoreError } from '../xenstore/store-error.js'
import type { StoreView } from '../xenstore/store-view.js'
import { whenUnreadable } from '../xenstore/unreadable.js'
import type { XenStore } from '../xenstore/xen-store.js'
import { pathOf } from './options.js'

/** Beside the keys of a service. libxenvchan looks at its own names only. */
const NODE = 'listener'

/** Of the claims of this thread, which tells those of its services from one that it could not remove. */
const here = new Set<string>()

/** Whose clients a service is for, and where it listens. */
export interface ClaimedPlace {
  parts: DomainParts
  /** The domain that listens. */
  self: number
  name: string
  domid: number
}

/**
 * The right of one service to its place in xenstore: of two, the later would take the keys of the earlier away. It is a node that
 * names the thread of the service, so that the claim of one that has ended counts no longer, and that services of other processes
 * of this domain find too. Those in another pid namespace, such as a container, cannot be judged, and do not count.
 */
export class Claim {
  readonly #place: ClaimedPlace
  readonly #store: XenStore
  readonly #token: string

  private constructor(place: ClaimedPlace, store: XenStore, token: string) {
    this.#place = place
    this.#store = store
    this.#token = token
  }

  /** @throws GrantError EADDRINUSE; XenStoreError; the signal's reason */
  static async take(place: ClaimedPlace, signal: AbortSignal): Promise<Claim> {
    const store = await place.parts.store()
    const token = randomBytes(8).toString('hex')
    const node = nodeOf(place)
    const claim = new Claim(place, store, token)
    here.add(token)
    try {
      await store.transaction(
        async (t) => {
          const holder = await holderOf(t, node)
          if (holder !== undefined) throw inUse(place, holder)
          await t.write(node, `${ownerHere()} ${token}`)
        },
        { signal },
      )
      return claim
    } catch (error) {
      // It may have been written all the same.
      if (error instanceof XenStoreError && error.inDoubt) await claim.release().catch(() => {})
      here.delete(token)
      throw error
    }
  }

  /** Once nothing is offered there any more. @throws XenStoreError: it stays, and counts until this thread ends */
  async release(): Promise<void> {
    const node = nodeOf(this.#place)
    try {
      // What has been lost is opened anew; but a Xen that is being closed opens nothing any more.
      const store = await this.#place.parts.store().catch(() => this.#store)
      await store.transaction(async (t) => {
        const value = await t.readText(node).catch(whenUnreadable)
        if (value === undefined || tokenOf(value) !== this.#token) return
        const base = node.slice(0, -NODE.length - 1)
        const children = await t.list(base)
        await t.remove(children.length === 1 ? base : node)
      })
    } finally {
      here.delete(this.#token)
    }
  }
}

function nodeOf({ name, domid, self }: ClaimedPlace): string {
  return `${absolute(pathOf(name, domid), self)}/${NODE}`
}

/** @returns the process of a service that is known to live, if there is one */
async function holderOf(t: StoreView, node: string): Promise<string | undefined> {
  const value = await t.readText(node).catch(whenUnreadable)
  if (value === undefined) return undefined
  const owner = value.slice(0, Math.max(0, value.lastIndexOf(' ')))
  const lives = owner === ownerHere() ? here.has(tokenOf(value)) : ownerHasEnded(owner) === false
  return lives ? owner.split(' ')[1] : undefined
}

function tokenOf(value: string): string {
  return value.slice(value.lastIndexOf(' ') + 1)
}

function inUse({ name, domid }: ClaimedPlace, pid: string): GrantError {
  const message = `process ${pid} has a service "${name}" for domain ${domid} already: close it first, or deny it that domain`
  return new GrantError('EADDRINUSE', message, { domid })
}
