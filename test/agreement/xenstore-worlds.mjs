import { setTimeout as delay } from 'node:timers/promises'
import { MessageReader, MessageType } from '../../dist/src/drivers/xenbus/wire.js'
import { Xenstored } from '../../dist/src/simulated/kernel/xenstore/xenstored.js'
import { RawStoreClient } from './xenstore-client.mjs'

/** The simulated xenstored, without a socket. */
export class SimulatedStore {
  #domains = new Set([0])
  #xenstored

  /**
   * @param {'c' | 'ocaml'} flavour
   * @param Daemon another class, for one that is mistaken on purpose
   */
  constructor(flavour = 'c', Daemon = Xenstored) {
    this.#xenstored = new Daemon({ exists: (domid) => this.#domains.has(domid) }, flavour)
  }

  /** @param {number | undefined} domid whose ring; undefined for a program next to xenstored */
  async connect(domid) {
    return new DirectClient(this.#xenstored, domid)
  }

  /** Domains exist before they are introduced. */
  async create(domid) {
    this.#domains.add(domid)
  }

  async destroy(domid) {
    this.#domains.delete(domid)
    this.#xenstored.domainDied(domid)
  }

  async shutDown(domid) {
    this.#xenstored.domainShutDown(domid)
  }

  async run() {}

  async end() {}
}

class DirectClient {
  #xenstored
  #connection
  #reader = new MessageReader(1 << 20)
  #events = []

  constructor(xenstored, domid) {
    this.#xenstored = xenstored
    this.#connection = xenstored.connect(domid, { filled() {}, hangUp() {} })
  }

  async request(type, transactionId, payload) {
    const requestId = 7
    const request = { type, requestId, transactionId, payload: Buffer.from(payload, 'latin1') }
    this.#xenstored.receive(this.#connection, request)
    const [reply, ...more] = this.#take()
    if (reply === undefined || more.length > 0) throw new Error(`${1 + more.length} replies to one request`)
    return { ...reply, sameId: reply.requestId === requestId }
  }

  async settle() {
    if (this.#take().length > 0) throw new Error('a reply to no request')
  }

  events() {
    return this.#events.splice(0)
  }

  async close() {
    this.#xenstored.disconnect(this.#connection)
  }

  #take() {
    const replies = []
    for (const { type, payload, ...head } of this.#reader.push(this.#connection.outbox.take())) {
      if (type === MessageType.watchEvent) this.#events.push(payload.toString('latin1'))
      else replies.push({ ...head, type, payload: payload.toString('latin1') })
    }
    return replies
  }
}

/**
 * A xenstored that runs on its own, with a stand-in for the hypervisor.
 *
 * @typedef {object} StoreHarness
 * @property {string} socket its Unix socket
 * @property {(domid: number) => string} ring the socket of a domain's ring, which is there once it is introduced
 * @property {(domid: number, state?: string) => void} setDomain the domain exists: '' running, 's' shut down
 * @property {(domid: number) => void} removeDomain it exists no more
 * @property {() => Promise<void>} stop
 */
export class RealStore {
  #harness
  /** Sees what the hypervisor tells xenstored arrive. */
  #observer

  /** @param {StoreHarness} harness */
  static async start(harness) {
    const store = new RealStore(harness, await RawStoreClient.open(harness.socket))
    await store.#observer.request(MessageType.watch, 0, '@releaseDomain\0observer\0')
    await store.#observer.settle()
    store.#observer.events()
    return store
  }

  constructor(harness, observer) {
    this.#harness = harness
    this.#observer = observer
  }

  connect(domid) {
    return RawStoreClient.open(domid === undefined ? this.#harness.socket : this.#harness.ring(domid))
  }

  async create(domid) {
    this.#harness.setDomain(domid, '')
  }

  /** Of an introduced domain. */
  async destroy(domid) {
    await this.#told(() => this.#harness.removeDomain(domid))
  }

  async shutDown(domid) {
    await this.#told(() => this.#harness.setDomain(domid, 's'))
  }

  async run(domid) {
    this.#harness.setDomain(domid, '')
  }

  async end() {
    await this.#observer.close()
    await this.#harness.stop()
  }

  async #told(act) {
    await this.#observer.settle()
    this.#observer.events()
    act()
    for (let tried = 0; tried < 20_000; tried++) {
      await this.#observer.settle()
      if (this.#observer.events().length > 0) return
      await delay(1)
    }
    throw new Error('xenstored has not noticed that a domain has ended')
  }
}
