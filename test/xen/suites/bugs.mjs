import assert from 'node:assert/strict'
import { UNMAP_NOTIFY_CLEAR_BYTE } from '../../../dist/src/abi.js'
import { reloadGntalloc, setLimit } from '../guest/module.mjs'
import { mmap, munmap, PAGE, peek, poke } from '../guest/raw.mjs'
import { alloc } from '../guest/raw-gntalloc.mjs'

// Defects of the driver that the package has to live with. A test that fails here is good news: the running kernel has
// the defect no longer.

/** More than the grant table of a domain has entries. */
const TOO_MANY = 100_000

const ENOSPC = { code: 'ENOSPC' }

/** A freshly loaded module whose limit lets a request reach the grant table. */
function withoutLimit(t) {
  reloadGntalloc()
  t.defer(reloadGntalloc)
  setLimit(t, 4 * TOO_MANY)
}

export default {
  name: 'driver bugs',
  tests: [
    {
      name: 'a full grant table consumes the index, and ballast keeps the driver usable',
      run(t) {
        withoutLimit(t)
        const device = t.gntalloc()
        device.allocate(0, 1, 4)
        assert.throws(() => device.allocate(0, 1, TOO_MANY), { ...ENOSPC, pages: TOO_MANY })
        assert.equal(device.allocate(0, 1, 0).index, (4 + TOO_MANY) * PAGE)
        const { index, refs } = device.allocate(0, 1, 2)
        assert.equal(index, (4 + TOO_MANY) * PAGE)
        assert.ok(t.gntdev().canMap(refs[1]))
      },
    },
    {
      name: 'B1: without ballast one such failure wedges the driver until it is reloaded',
      run(t) {
        withoutLimit(t)
        const device = t.gntalloc()
        assert.throws(() => device.allocate(0, 1, TOO_MANY), ENOSPC)
        assert.throws(() => device.allocate(0, 1, 1), ENOSPC)
        assert.throws(() => device.allocate(0, 1, 0), ENOSPC)
        device.close()
        const fresh = t.gntalloc()
        assert.throws(() => fresh.allocate(0, 1, 0), ENOSPC, 'also for a new file')
        setLimit(t, -1)
        assert.throws(() => fresh.allocate(0, 1, 1), ENOSPC, 'whatever the limit')
        fresh.close()
        reloadGntalloc()
        assert.equal(t.gntalloc().allocate(0, 1, 1).refs.length, 1)
      },
    },
    {
      name: 'B2: a mapping across two allocations takes a reference from a third',
      run(t) {
        reloadGntalloc()
        t.defer(reloadGntalloc)
        const [ours, stranger] = [t.gntallocFd(), t.gntalloc()]
        alloc(ours.fd)
        const { index, refs } = stranger.allocate(0, 1, 1)
        const address = stranger.mmap(index, 1)
        stranger.setUnmapNotify(index, UNMAP_NOTIFY_CLEAR_BYTE, 0)
        poke(address, [0xff])
        alloc(ours.fd)
        const across = mmap(ours.fd, 0, 2 * PAGE)
        assert.equal(across.error, undefined, 'the driver takes it')
        munmap(across.address, 2 * PAGE)
        assert.equal(peek(address)[0], 0xff)
        stranger.deallocate(index, 1)
        // Mapped here and yet gone: its notification has fired and no peer can map it.
        assert.equal(peek(address)[0], 0)
        assert.equal(t.gntdev().canMap(refs[0]), false)
        stranger.munmap(address, PAGE)
      },
    },
    {
      name: 'after all this the reloaded driver works',
      run(t) {
        reloadGntalloc()
        const device = t.gntalloc()
        assert.equal(device.limits().limit, 1024)
        const { index, refs } = device.allocate(0, 1, 16)
        const address = device.mmap(index, 16)
        poke(address, [1])
        assert.ok(t.gntdev().canMap(refs[0]))
        device.munmap(address, 16 * PAGE)
        device.deallocate(index, 16)
      },
    },
  ],
}
