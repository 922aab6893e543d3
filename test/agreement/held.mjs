const PAGE = 4096

/**
 * What the second world holds, noted where it happens: when the worlds disagree, one of them has done what the other
 * has not, and the next sequence must find nothing of it. The reference is thrown away instead.
 */
export class Held {
  #devices = new Set()
  #peers = new Set()
  /** By address of a mapped page: the device it is mapped through. */
  #pages = new Map()

  opened(device) {
    this.#devices.add(device)
    return device
  }

  mapped(device, address, count) {
    for (let page = 0; page < count; page++) this.#pages.set(address + page * PAGE, device)
    return address
  }

  unmapped(address, count) {
    for (let page = 0; page < count; page++) this.#pages.delete(address + page * PAGE)
  }

  peerMapped(peer) {
    this.#peers.add(peer)
    return peer
  }

  async giveBack() {
    for (const peer of this.#peers) await peer.unmap()
    for (const [address, device] of this.#pages) device.munmap(address, PAGE)
    for (const device of this.#devices) device.close()
  }
}
