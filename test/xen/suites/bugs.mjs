import assert from 'node:assert/strict'
import { UNMAP_NOTIFY_CLEAR_BYTE } from '../../../dist/src/abi.js'
import { exhaustion, runIn } from '../../contract/all.mjs'
import { reloadGntalloc } from '../guest/module.mjs'
import { mmap, munmap, PAGE, peek, poke } from '../guest/raw.mjs'
import { alloc } from '../guest/raw-gntalloc.mjs'
import { RealWorld } from '../guest/real-world.mjs'

// Defects of the driver that the package has to live with. A test that fails here is good news: the running kernel has
// the defect no longer.

/** Each of these leaves a wrong count, so that each needs a driver of its own. */
function onReloadedDriver(test) {
  return {
    ...test,
    name: `${exhaustion.name}: ${test.name}`,
    run(t) {
      reloadGntalloc()
      t.defer(reloadGntalloc)
      return runIn(new RealWorld(t, { wrongCount: true }), test)
    },
  }
}

export default {
  name: 'driver bugs',
  tests: [
    ...exhaustion.tests.map(onReloadedDriver),
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
