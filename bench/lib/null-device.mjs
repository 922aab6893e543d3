// A device without a driver and without memory of its own: what is left is this package's own cost. Every mapping is the
// same page, so nothing may be written to it by its users but the scrubbing of one page.
import { mmap } from '../../dist/src/device/libc.js'

export function openDevice({ pages = 1 } = {}) {
  const address = mmap({ length: pages * 4096, prot: 3, flags: 0x22, what: 'the null device' })
  let index = 0
  let ref = 8
  return {
    path: 'null',
    allocate(_domid, _flags, count) {
      const at = index
      index += count * 4096
      const refs = new Uint32Array(count)
      for (let i = 0; i < count; i++) refs[i] = ref++
      return { index: at, refs }
    },
    deallocate() {},
    setUnmapNotify() {},
    mmap: () => address,
    munmap() {},
    replaceMapping() {},
    limits: () => ({ limit: -1, tableCapacity: 2 ** 30 }),
    domainExists: () => undefined,
    close() {},
  }
}

export const nullDevice = {
  [Symbol.for('xen-grants.device-descriptor')]: {
    module: import.meta.url,
    options: {},
    path: 'null',
    simulated: true,
  },
}
