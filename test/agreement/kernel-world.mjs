import assert from 'node:assert/strict'
import { AllocationMap } from '../../dist/src/drivers/gntalloc/allocations.js'
import { Kernel } from '../../dist/src/simulated/kernel/kernel.js'
import { decodeCopied, encodeCopy } from '../../dist/src/simulated/wire/copy-message.js'

const PAGE = 4096
const LOCAL = 0
const DOMID = 7
const PORTS_FROM = 1

/**
 * A World on the simulated kernel alone, without processes, sockets or files: memory is an array of pages, an address
 * is a number that this file gives out. The others are held against it, because it is fast and knows everything.
 *
 * Deferred pages that nobody maps any more are freed at once, not after a while.
 */
export class KernelWorld {
  domid = DOMID
  stranger = DOMID + 1
  limit
  #frames = new Map()
  #kernel
  #owner
  #peer
  #found = new Map()
  #nextAddress = 2 ** 30
  /** What the owner has mapped: by address of each page, its frame. */
  #pages = new Map()
  /** By first address: what munmap has to tell the kernel. */
  #mappings = []

  constructor({ limit, tableCapacity = 32768, paravirtualised = false, kernel: KernelClass = Kernel }) {
    this.limit = limit
    const driver = { driverBugs: true, freePerIteration: 0, paravirtualised }
    const options = { limit, tableCapacity, ...driver }
    this.#kernel = new KernelClass(options, {
      reserve: () => true,
      clearByte: (frame, offset) => {
        this.#frame(frame)[offset] = 0
      },
      read: (frame, offset, length) => Uint8Array.from(this.#frame(frame).subarray(offset, offset + length)),
      write: (frame, offset, bytes) => this.#frame(frame).set(bytes, offset),
      discard: (first, count) => {
        for (let frame = first; frame < first + count; frame++) this.#frames.delete(frame)
      },
    })
    this.#owner = this.#kernel.startSession()
    this.#peer = this.#kernel.startSession()
  }

  open() {
    const { gntalloc, domains } = this.#kernel
    const owner = this.#owner
    const file = gntalloc.open(owner, LOCAL)
    const allocations = new AllocationMap()
    return {
      path: 'the simulated kernel',
      allocate: (domid, flags, count) => {
        const allocation = gntalloc.allocate(owner, file, domid, flags, count)
        if (count > 0) allocations.add(allocation.index, count)
        return allocation
      },
      deallocate: (index, count) => {
        gntalloc.deallocate(owner, file, index, count)
        allocations.remove(index, count)
      },
      setUnmapNotify: (index, action, port) => gntalloc.setUnmapNotify(owner, file, index, action, port),
      mmap: (index, count) => {
        if (allocations.spansTwo(index, count)) throw new Error('would span two allocations')
        return this.#map(owner, gntalloc, gntalloc.mmap(owner, file, index, count))
      },
      munmap: (address, length) => this.#munmap(address, length),
      limits: () => gntalloc.limits(owner, file),
      domainExists: (domid) => domains.exists(domid),
      close: once(() => gntalloc.close(owner, file)),
    }
  }

  /** The local domain maps what it has granted to itself. */
  openMap() {
    const { gntdev } = this.#kernel
    const mapper = this.#peer
    const file = gntdev.open(mapper, LOCAL)
    return {
      path: 'the simulated kernel',
      map: (names) =>
        gntdev.map(mapper, file, Uint32Array.from(names.flatMap(({ domid, ref }) => [domid, ref]))),
      mmap: (index, count, writable) =>
        this.#map(mapper, gntdev, gntdev.mmap(mapper, file, index, count, writable)),
      munmap: (address, length) => this.#munmap(address, length),
      unmap: (index, count) => gntdev.unmap(mapper, file, index, count),
      setUnmapNotify: (index, action, port) => gntdev.setUnmapNotify(mapper, file, index, action, port),
      // Of grants to grants: nothing local is in the message.
      copy: (segments) => decodeCopied(segments, gntdev.copy(mapper, file, encodeCopy(segments))),
      close: once(() => gntdev.close(mapper, file)),
    }
  }

  /** Event channels of the local domain with itself. */
  openEvents() {
    const { evtchn } = this.#kernel
    const session = this.#owner
    const file = evtchn.open(session, LOCAL)
    return {
      device: {
        bindUnbound: (domid) => evtchn.bindUnbound(session, file, domid),
        bindInterdomain: (domid, port) => evtchn.bindInterdomain(session, file, domid, port),
        unbind: (port) => evtchn.unbind(session, file, port),
      },
      notify: (port) => evtchn.notify(session, file, port),
      unmask: (ports) => evtchn.unmask(session, file, ports),
      taken: () => evtchn.read(session, file),
      close: once(() => evtchn.close(session, file)),
    }
  }

  read(address, length) {
    const offset = address % PAGE
    assert.ok(offset + length <= PAGE, 'one page at a time')
    return Buffer.from(this.#frame(this.#pages.get(address - offset)).subarray(offset, offset + length))
  }

  write(address, bytes) {
    const offset = address % PAGE
    this.#frame(this.#pages.get(address - offset)).set(bytes, offset)
  }

  async map(refs, { writable = true } = {}) {
    const pairs = Uint32Array.from([...refs].flatMap((ref) => [LOCAL, ref]))
    const { mapping, frames } = this.#kernel.domain.map(this.#peer, DOMID, pairs, writable)
    const at = (offset) => this.#frame(frames[Math.floor(offset / PAGE)])
    return {
      read: (offset, length) => Buffer.from(at(offset).subarray(offset % PAGE, (offset % PAGE) + length)),
      write: (offset, bytes) => at(offset).set(bytes, offset % PAGE),
      unmap: async () => {
        this.#kernel.domain.unmap(this.#peer, mapping)
        this.#kernel.tick()
      },
    }
  }

  async canMap(ref) {
    try {
      await (await this.map([ref], { writable: false })).unmap()
      return true
    } catch (error) {
      if (error.code === 'EINVAL') return false
      throw error
    }
  }

  async setLimit(limit) {
    this.#kernel.domain.setLimit(LOCAL, limit)
  }

  async bindPort() {
    const port = this.#kernel.domain.bindPort(LOCAL)
    assert.ok(port >= PORTS_FROM)
    this.#found.set(port, 0)
    return port
  }

  async fired(port) {
    const events = this.#kernel.domain.events(LOCAL, port)
    const fired = events > this.#found.get(port)
    this.#found.set(port, events)
    return fired
  }

  async silent(port) {
    return !(await this.fired(port))
  }

  async end() {
    this.#kernel.endSession(this.#owner)
    this.#kernel.endSession(this.#peer)
    this.#kernel.tick()
    for (const [name, value] of Object.entries(this.#kernel.counters()))
      assert.equal(value, 0, `${name} of the simulated kernel at the end`)
    assert.equal(this.#frames.size, 0, 'pages that were written to and not freed')
  }

  #frame(frame) {
    assert.notEqual(frame, undefined, 'the page is mapped')
    const bytes = this.#frames.get(frame) ?? Buffer.alloc(PAGE)
    this.#frames.set(frame, bytes)
    return bytes
  }

  #map(session, device, { mapping, frames }) {
    const address = this.#nextAddress
    this.#nextAddress += (frames.length + 1) * PAGE
    for (const [page, frame] of frames.entries()) this.#pages.set(address + page * PAGE, frame)
    this.#mappings.push({ address, end: address + frames.length * PAGE, mapping, session, device })
    return address
  }

  #munmap(address, length) {
    const found = this.#mappings.find((each) => each.address <= address && address < each.end)
    found.device.munmap(found.session, found.mapping, (address - found.address) / PAGE, length / PAGE)
    for (let page = address; page < address + length; page += PAGE) this.#pages.delete(page)
  }
}

/** As a device's own close: again, it does nothing. */
function once(close) {
  let closed = false
  return () => {
    if (!closed) close()
    closed = true
  }
}
