import { createPageBuffer } from '../../dist/src/drivers/page-buffer.js'

/** By address. V8 must not free what a test may have mapped something over, by whatever device. */
const kept = new Map()

/**
 * A device as the kernel sees it: mmap finds memory by itself and returns its address. Tests of drivers take mappings
 * apart page by page, and hold no buffers. Grants that are to be mapped are named by objects.
 */
export function addressed(device) {
  const mmap = (index, count, ...rest) => {
    // No pages, or parts of one, are the driver's to refuse.
    const memory = createPageBuffer(Math.max(1, Math.ceil(count)))
    device.mmap(index, count, ...rest, memory)
    kept.set(memory.address, memory.buffer)
    return memory.address
  }
  const map = (names) => device.map(Uint32Array.from(names.flatMap(({ domid, ref }) => [domid, ref])))
  return new Proxy(device, {
    get(_, key) {
      if (key === 'mmap') return mmap
      if (key === 'map') return map
      const value = device[key]
      return typeof value === 'function' ? value.bind(device) : value
    },
  })
}

/** What such an mmap has mapped, from its first byte on. */
export function bytesAt(address, length) {
  const buffer = kept.get(address)
  // Of undefined a Uint8Array makes an empty one, of which any expectation of every byte is true.
  if (buffer === undefined) throw new Error(`nothing was mapped at 0x${address.toString(16)}`)
  return new Uint8Array(buffer, 0, length)
}
