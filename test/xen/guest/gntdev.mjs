import { closeSync, openSync } from 'node:fs'
import { ioctlNumber } from '../../../dist/src/abi.js'
import { ioctl, mmap, munmap, PAGE, PROT } from './raw.mjs'

const MAP_GRANT_REF = ioctlNumber('G', 0, 24)
const UNMAP_GRANT_REF = ioctlNumber('G', 1, 16)

/**
 * /dev/xen/gntdev: maps what another domain granted. Domain 0 stands for this domain itself; Xen's DOMID_SELF is not
 * accepted for mapping.
 */
export class Gntdev {
  #fd = openSync('/dev/xen/gntdev', 'r+')

  /** Maps the refs of a domain side by side. Errors are thrown with the errno's name as `code`. */
  map(refs, { domid = 0, writable = true } = {}) {
    const request = new DataView(new ArrayBuffer(16 + 8 * refs.length))
    request.setUint32(0, refs.length, true)
    for (const [i, ref] of [...refs].entries()) {
      request.setUint32(16 + 8 * i, domid, true)
      request.setUint32(20 + 8 * i, ref, true)
    }
    check('MAP_GRANT_REF', ioctl(this.#fd, MAP_GRANT_REF, new Uint8Array(request.buffer)))
    const index = Number(request.getBigUint64(8, true))
    const length = refs.length * PAGE
    const mapped = mmap(this.#fd, index, length, writable ? PROT.READ | PROT.WRITE : PROT.READ)
    // The driver keeps the slot whether or not Xen let it map.
    if (mapped.error) this.#forget(index, refs.length)
    check('mmap of gntdev', mapped)
    return {
      address: mapped.address,
      unmap: () => {
        check('munmap of gntdev', munmap(mapped.address, length))
        this.#forget(index, refs.length)
      },
    }
  }

  /** Whether Xen lets this domain map the ref now. */
  canMap(ref, options) {
    try {
      this.map([ref], options).unmap()
      return true
    } catch (error) {
      if (error.code === 'EINVAL') return false
      throw error
    }
  }

  close() {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
  }

  #forget(index, count) {
    const request = new DataView(new ArrayBuffer(16))
    request.setBigUint64(0, BigInt(index), true)
    request.setUint32(8, count, true)
    check('UNMAP_GRANT_REF', ioctl(this.#fd, UNMAP_GRANT_REF, new Uint8Array(request.buffer)))
  }
}

function check(what, { error }) {
  if (error) throw Object.assign(new Error(`${what}: ${error}`), { code: error })
}
