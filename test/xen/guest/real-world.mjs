import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { EvtchnLine } from '../../../dist/src/drivers/evtchn/linux-event-line.js'
import { EvtchnDevice } from '../../../dist/src/drivers/evtchn/linux-evtchn.js'
import { GntallocDevice } from '../../../dist/src/drivers/gntalloc/linux-gntalloc.js'
import { addressed } from '../../contract/addressed.mjs'
import { EventEnd } from '../../contract/event-end.mjs'
import { startHolder } from '../../contract/holder.mjs'
import { peek, poke } from '../../contract/memory.mjs'
import { eventually } from '../../contract/support.mjs'
import { mapDevice } from './ends.mjs'
import { limit, setFreePerIteration, setLimit } from './module.mjs'
import { PAGE } from './raw.mjs'

const SOON_MS = 2000
const STRANGER = 5
const DRIVER = {
  module: new URL('../../../dist/src/drivers/gntalloc/linux-gntalloc.js', import.meta.url).href,
  options: {},
}

/**
 * A World on the real driver: this domain grants to itself, and is its own peer through gntdev.
 * @implements {import('../../contract/world.ts').World}
 */
export class RealWorld {
  domid = 0
  stranger = STRANGER
  limit = limit()
  paravirtualised = readFileSync('/sys/hypervisor/guest_type', 'utf8').trim() === 'PV'
  #context
  #gntdev
  #wrongCount
  #devices = []
  #peers = new Set()
  #mappedBefore = mappedPages()
  #sender
  #receiver
  #marker
  /** By the port the test knows: the port at which its events arrive. */
  #arrivals = new Map()
  #arrived = new Set()

  /** @param wrongCount the test leaves the driver with a wrong count, and reloads it */
  constructor(context, { wrongCount = false } = {}) {
    this.#context = context
    this.#wrongCount = wrongCount
    this.#gntdev = context.gntdev()
    // Without a budget per round, deferred pages take a second at most.
    setFreePerIteration(context, 0)
  }

  open() {
    const device = addressed(new GntallocDevice())
    this.#context.defer(() => device.close())
    this.#devices.push(device)
    return device
  }

  openMap() {
    const device = mapDevice(this.#context)
    this.#devices.push(device)
    return device
  }

  async openEvents() {
    const line = new EvtchnLine()
    const end = new EventEnd(line, new EvtchnDevice(line.file))
    end.start()
    this.#context.defer(() => end.close())
    return end
  }

  read(address, length) {
    return peek(address, length)
  }

  write(address, bytes) {
    poke(address, bytes)
  }

  async map(refs, { writable = true } = {}) {
    const list = [...refs]
    const mapped = this.#gntdev.map(list, { writable })
    const peer = {
      read: (offset, length) => peek(mapped.address + offset, length),
      write: (offset, bytes) => poke(mapped.address + offset, bytes),
      unmap: async () => {
        if (this.#peers.delete(peer)) mapped.unmap()
      },
    }
    this.#peers.add(peer)
    return peer
  }

  async canMap(ref) {
    return this.#gntdev.canMap(ref, { writable: false })
  }

  async settled(refs) {
    for (const ref of refs)
      await eventually(async () => !(await this.canMap(ref)), `reference ${ref} is free`)
  }

  async setLimit(value) {
    setLimit(this.#context, value)
  }

  async bindPort() {
    if (this.#sender === undefined) {
      this.#sender = this.#context.evtchn()
      this.#receiver = this.#context.evtchn()
      this.#marker = await this.#bind()
    }
    return this.#bind()
  }

  async fired(port) {
    const arrival = this.#arrivals.get(port)
    await this.#collectUntil(arrival, SOON_MS)
    const fired = this.#arrived.has(arrival)
    // What was sent while the first event waited to be read arrives as a second one.
    await this.#passMarker()
    this.#arrived.delete(arrival)
    return fired
  }

  async silent(port) {
    await this.#passMarker()
    return !this.#arrived.delete(this.#arrivals.get(port))
  }

  async holder(options) {
    const holder = await startHolder(DRIVER, this.domid, options)
    this.#context.defer(() => holder.kill())
    return holder
  }

  async end() {
    for (const peer of [...this.#peers]) await peer.unmap()
    for (const device of this.#devices) device.close()
    assert.equal(mappedPages(), this.#mappedBefore, 'the test has unmapped what it mapped')
    if (this.#wrongCount) return
    // The driver tells its count to nobody. When all of the limit can be had, it is 0.
    setLimit(this.#context, this.limit)
    const device = this.open()
    assert.equal(device.allocate(0, 0, this.limit).refs.length, this.limit)
    device.close()
  }

  /** Sends an event of its own and waits for that: what was sent earlier has then arrived too. */
  async #passMarker() {
    const marker = this.#arrivals.get(this.#marker)
    this.#sender.notify(this.#marker)
    assert.ok(await this.#collectUntil(marker, SOON_MS), 'the marker event arrives')
    this.#arrived.delete(marker)
  }

  async #bind() {
    const port = this.#sender.unbound()
    this.#arrivals.set(port, await this.#receiver.connect(port))
    return port
  }

  async #collectUntil(arrival, ms) {
    const deadline = performance.now() + ms
    for (const port of this.#receiver.drain()) this.#arrived.add(port)
    while (!this.#arrived.has(arrival) && performance.now() < deadline)
      for (const port of await this.#receiver.fired(deadline - performance.now())) this.#arrived.add(port)
    return this.#arrived.has(arrival)
  }
}

/** Pages of the grant devices that this process has mapped. */
function mappedPages() {
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n')
  return maps
    .filter((line) => /\/dev\/xen\/gnt(alloc|dev)/.test(line))
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+)/.exec(line))
    .reduce((pages, [, from, to]) => pages + Number(BigInt(`0x${to}`) - BigInt(`0x${from}`)) / PAGE, 0)
}
