import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { GntdevDevice } from '../../../dist/src/drivers/gntdev/linux-gntdev.js'
import { canMap, granted, mapDevice, mapped } from '../guest/ends.mjs'
import { PAGE, peek, poke } from '../guest/raw.mjs'

const LIMIT = '/sys/module/xen_gntdev/parameters/limit'
const mmapRefused = { name: 'GrantError', code: 'EINVAL', syscall: 'mmap' }
const ioctlRefused = (code) => ({ name: 'GrantError', code, syscall: 'ioctl' })

export default {
  name: 'gntdev: mapping',
  tests: [
    {
      name: 'opening tells another device, and what is none, from gntdev',
      run(t) {
        assert.equal(mapDevice(t).path, '/dev/xen/gntdev')
        for (const [other, code] of [
          ['/dev/null', 'ENOTTY'],
          ['/dev/xen/gntalloc', 'ENOTTY'],
          ['/dev/xen/evtchn', 'ENOSYS'],
          ['/dev/xen/privcmd', 'ENOTTY'],
          ['/init', 'ENODEV'],
          ['/dev/xen', 'EISDIR'],
          ['/dev/xen/none', 'ENOENT'],
        ]) {
          if (!existsSync(other) && code !== 'ENOENT') continue
          assert.throws(() => new GntdevDevice(other), { name: 'GrantError', code, path: other }, other)
        }
      },
    },
    {
      name: 'shows what the granter wrote, carries back what the mapper writes, each reference its own page',
      run(t) {
        const grant = granted(t, 3)
        const { address, munmap, forget } = mapped(mapDevice(t), [...grant.names].reverse())
        assert.deepEqual(
          [0, 1, 2].map((page) => peek(address + page * PAGE + 17)[0]),
          [3, 2, 1],
        )
        poke(address, [200, 201])
        assert.deepEqual([...peek(grant.address + 2 * PAGE, 3)], [200, 201, 3])
        munmap()
        forget()
      },
    },
    {
      name: 'maps a thousand pages at once, and the same page twice',
      run(t) {
        const grant = granted(t, 1000)
        const device = mapDevice(t)
        const { address, munmap, forget } = mapped(device, grant.names)
        for (const page of [0, 1, 511, 999]) assert.equal(peek(address + page * PAGE)[0], (page + 1) & 255)
        munmap()
        forget()
        const twice = mapped(device, [grant.names[4], grant.names[4]])
        poke(twice.address, [77])
        assert.equal(peek(twice.address + PAGE)[0], 77)
        twice.munmap()
        twice.forget()
      },
    },
    {
      name: 'a map is mapped whole and once; forgetting it first or last are both allowed, twice is not',
      run(t) {
        const grant = granted(t, 2)
        const device = mapDevice(t)
        const index = device.map(grant.names)
        assert.equal(index, 0)
        assert.throws(() => device.mmap(index, 1, true), mmapRefused)
        assert.throws(() => device.mmap(index + PAGE, 1, true), mmapRefused)
        const address = device.mmap(index, 2, true)
        assert.throws(() => device.mmap(index, 2, true), mmapRefused)
        assert.throws(() => device.unmap(index, 1), ioctlRefused('ENOENT'))
        device.unmap(index, 2)
        assert.equal(peek(address + PAGE)[0], 2, 'mapped still')
        assert.throws(() => device.unmap(index, 2), ioctlRefused('ENOENT'))
        device.munmap(address, 2 * PAGE)
      },
    },
    {
      name: 'an index is used again, the lowest that leaves room',
      run(t) {
        const { names } = granted(t, 1)
        const device = mapDevice(t)
        const record = (count) => device.map(Array(count).fill(names[0])) / PAGE
        assert.deepEqual([record(2), record(1), record(3)], [0, 2, 3])
        device.unmap(0, 2)
        assert.equal(record(2), 6, 'a gap that it would fill exactly does not do')
        assert.equal(record(1), 0)
        device.unmap(3 * PAGE, 3)
        assert.deepEqual([record(3), record(2)], [8, 3])
      },
    },
    {
      name: 'a failed mmap uses the map up, and all that is left is to forget it',
      run(t) {
        const { names } = granted(t, 2, { writable: false })
        const device = mapDevice(t)
        const index = device.map(names)
        assert.throws(() => device.mmap(index, 2, true), mmapRefused)
        assert.throws(() => device.mmap(index, 2, false), mmapRefused)
        device.unmap(index, 2)
        const again = mapped(device, names, false)
        assert.equal(peek(again.address)[0], 1)
        again.munmap()
        again.forget()
      },
    },
    {
      name: 'refuses, for the whole batch, what is not granted, granted to others, for reading only or gone',
      run(t) {
        const [good] = granted(t, 1).names
        const [readOnly] = granted(t, 1, { writable: false }).names
        const [foreign] = granted(t, 1, { domid: 9 }).names
        const gone = granted(t, 1)
        gone.takeBack()
        const device = mapDevice(t)
        const tries = [
          readOnly,
          foreign,
          gone.names[0],
          { domid: 0, ref: 0xffff_ffff },
          { ...good, domid: 9 },
          { ...good, domid: 0x7ff0 },
        ]
        for (const bad of tries) {
          const index = device.map([good, bad])
          assert.throws(() => device.mmap(index, 2, true), mmapRefused, JSON.stringify(bad))
          device.unmap(index, 2)
        }
        const { munmap, forget } = mapped(device, [good])
        munmap()
        forget()
      },
    },
    {
      name: 'takes at least one and at most as many references as the limit says',
      run(t) {
        const device = mapDevice(t)
        const before = readFileSync(LIMIT, 'utf8')
        assert.equal(device.limit(), Number(before))
        t.defer(() => writeFileSync(LIMIT, before))
        writeFileSync(LIMIT, '4')
        assert.equal(device.limit(), 4)
        const { names } = granted(t, 5)
        assert.throws(() => device.map([]), ioctlRefused('EINVAL'))
        assert.throws(() => device.map(names), { ...ioctlRefused('EINVAL'), pages: 5 })
        device.map(names.slice(1))
        device.map(names.slice(1))
      },
    },
    {
      name: 'zero pages over a mapping let the granter have its pages at once',
      run(t) {
        const grant = granted(t, 2)
        const device = mapDevice(t)
        const { address, munmap, forget } = mapped(device, grant.names)
        munmap()
        forget()
        poke(address, [1, 2, 3])
        assert.deepEqual([peek(address + PAGE)[0], peek(grant.address + 1)[0]], [0, 1])
        grant.takeBack()
        assert.deepEqual(
          grant.refs.map((ref) => canMap(device, ref)),
          [false, false],
        )
      },
    },
    {
      name: 'closing leaves what is mapped, readable also after the granter has taken it back',
      run(t) {
        const grant = granted(t, 1)
        const [device, other] = [mapDevice(t), mapDevice(t)]
        const { address, munmap } = mapped(device, grant.names)
        device.close()
        device.close()
        grant.takeBack()
        assert.equal(peek(address)[0], 1)
        assert.ok(canMap(other, grant.refs[0]), 'deferred')
        munmap()
      },
    },
  ],
}
