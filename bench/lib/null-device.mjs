// A device without a driver, which maps nothing over the memory it is given: what is left is this package's own cost.
export function openDevice() {
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
    mmap() {},
    munmap() {},
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
