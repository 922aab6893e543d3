import assert from 'node:assert/strict'
import { SimulatedXen } from 'xen-grants/simulated'
import { eventDescriptor } from '../../dist/src/drivers/evtchn/event-device.js'
import { deviceDescriptor } from '../../dist/src/drivers/gntalloc/grant-device.js'
import { mapDescriptor } from '../../dist/src/drivers/gntdev/map-device.js'
import { addressed } from './addressed.mjs'
import { EventEnd } from './event-end.mjs'
import { startHolder } from './holder.mjs'
import { peek, poke } from './memory.mjs'
import { eventually } from './support.mjs'

const DOMID = 7
const STRANGER = 8

/**
 * A World on a simulated Xen of its own.
 * @param {{ wrongCount?: boolean, kept?: { xen?: SimulatedXen } }} [options] `kept`: where its Xen is put at the end, unless something
 *   is left in it or its limit has been changed, and is taken from at the beginning: to start one takes longer than most tests.
 *   The others go to SimulatedXen.create
 */
export async function simulatedWorld({ wrongCount = false, kept, ...options } = {}) {
  const xen = kept?.xen ?? (await SimulatedXen.create({ freePerIteration: 0, freeInterval: 5, ...options }))
  if (kept) kept.xen = undefined
  const { module, options: deviceOptions } = xen[deviceDescriptor]
  const { openDevice } = await import(module)
  const { openMapDevice } = await import(xen[mapDescriptor].module)
  const openers = { openDevice, openMap: () => openMapDevice(xen[mapDescriptor].options) }
  const descriptor = { module, options: deviceOptions }
  return new SimulatedWorld(xen, descriptor, openers, {
    wrongCount,
    kept,
    paravirtualised: options.paravirtualised,
  })
}

/** @implements {import('./world.ts').World} */
class SimulatedWorld {
  domid = DOMID
  stranger = STRANGER
  limit = 1024
  #xen
  #descriptor
  #openers
  #wrongCount
  #kept
  #changed = false
  #devices = []
  #peers = new Set()
  #holders = []
  /** Events found so far, by port. */
  #found = new Map()

  constructor(xen, descriptor, openers, { wrongCount, kept, paravirtualised = false }) {
    this.#xen = xen
    this.#descriptor = descriptor
    this.#openers = openers
    this.#wrongCount = wrongCount
    this.#kept = kept
    this.paravirtualised = paravirtualised
  }

  open() {
    const device = addressed(this.#openers.openDevice(this.#descriptor.options))
    this.#devices.push(device)
    return device
  }

  openMap() {
    const device = addressed(this.#openers.openMap())
    this.#devices.push(device)
    return device
  }

  async openEvents() {
    const { module, options } = this.#xen[eventDescriptor]
    return EventEnd.open(await import(module), options)
  }

  read(address, length) {
    return peek(address, length)
  }

  write(address, bytes) {
    poke(address, bytes)
  }

  async map(refs, { writable = true } = {}) {
    const mapped = await this.#xen.domain(DOMID).map([...refs], { writable })
    const { bytes } = mapped
    const peer = {
      read: (offset, length) => Buffer.from(bytes.subarray(offset, offset + length)),
      write: (offset, values) => bytes.set(values, offset),
      unmap: async () => {
        this.#peers.delete(peer)
        await mapped.unmap()
      },
    }
    this.#peers.add(peer)
    return peer
  }

  async canMap(ref) {
    try {
      const mapped = await this.#xen.domain(DOMID).map([ref])
      await mapped.unmap()
      return true
    } catch (error) {
      if (error.code === 'EINVAL') return false
      throw error
    }
  }

  async settled(refs) {
    for (const ref of refs)
      await eventually(async () => !(await this.canMap(ref)), `reference ${ref} is free`)
  }

  async setLimit(limit) {
    this.#changed = true
    await this.#xen.setLimit(limit)
  }

  async bindPort() {
    const port = await this.#xen.bindPort()
    this.#found.set(port, 0)
    return port
  }

  async fired(port) {
    const events = await this.#xen.events(port)
    const fired = events > this.#found.get(port)
    this.#found.set(port, events)
    return fired
  }

  async silent(port) {
    return !(await this.fired(port))
  }

  async holder(options) {
    const holder = await startHolder(this.#descriptor, DOMID, options)
    this.#holders.push(holder)
    return holder
  }

  async end() {
    try {
      for (const holder of this.#holders) await holder.kill()
      for (const peer of [...this.#peers]) await peer.unmap()
      for (const device of this.#devices) device.close()
      const zero = {
        grants: 0,
        files: 0,
        mappings: 0,
        foreignMappings: 0,
        deferred: 0,
        tableUsed: 0,
        sessions: 0,
      }
      const wanted = this.#wrongCount ? zero : { ...zero, pages: 0 }
      let left
      await eventually(async () => {
        left = await this.#xen.counters()
        return Object.entries(wanted).every(([name, value]) => left[name] === value)
      }, 'the simulated driver counts nothing').catch(() => assert.deepEqual(left, { ...left, ...wanted }))
      if (this.#kept && !this.#changed) this.#kept.xen = this.#xen
    } finally {
      if (this.#kept?.xen !== this.#xen) await this.#xen.close()
    }
  }
}
