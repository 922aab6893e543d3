import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { createPageBuffer } from '../../../dist/src/drivers/page-buffer.js'
import { addressOf } from '../../../dist/src/native/libc.js'
import { bytesAt } from '../../contract/addressed.mjs'
import { granted, mapDevice, mapped } from '../guest/ends.mjs'
import { PAGE, peek, poke } from '../guest/raw.mjs'

const ioctlRefused = (code) => ({
  name: 'GrantError',
  code,
  syscall: 'ioctl',
  errno: -constants.errno[code],
})

/** Memory of this process at a known place in its page, and how a segment names it. */
function memory(length, offset = 0) {
  const { buffer } = createPageBuffer(Math.ceil((offset + length) / PAGE))
  return { bytes: new Uint8Array(buffer, offset, length), local: { buffer, offset } }
}

/** The memory of a mapping, as a segment names it. */
function mappedAt(address, offset = 0) {
  return { buffer: bytesAt(address, PAGE).buffer, offset }
}

/** In the grant table, but granted to nobody. */
function goneRef(t) {
  const { refs, takeBack } = granted(t, 1)
  takeBack()
  return refs[0]
}

const place = (ref, offset = 0, domid = 0) => ({ domid, ref, offset })

export default {
  name: 'gntdev: grant copy',
  tests: [
    {
      name: 'copies from and to memory, and from grant to grant, without mapping',
      run(t) {
        const { refs, address } = granted(t, 2)
        const { bytes, local } = memory(64)
        poke(address + 100, [1, 2, 3, 4])
        const statuses = mapDevice(t).copy([
          { source: place(refs[0], 100), target: local, length: 4 },
          { source: local, target: place(refs[1], 4092), length: 4 },
          { source: place(refs[1], 4091), target: place(refs[0], 7), length: 5 },
        ])
        assert.deepEqual([...statuses], [0, 0, 0])
        assert.deepEqual([...bytes.subarray(0, 5)], [1, 2, 3, 4, 0])
        assert.deepEqual([...peek(address + 6, 7)], [1, 2, 1, 2, 3, 4, 1])
      },
    },
    {
      name: 'memory may cross pages, also that of gntalloc',
      run(t) {
        const { refs, address } = granted(t, 3)
        const { bytes, local } = memory(PAGE, 3000)
        const device = mapDevice(t)
        assert.deepEqual([...device.copy([{ source: place(refs[2]), target: local, length: PAGE }])], [0])
        assert.ok(bytes.every((byte) => byte === 3))
        const [status] = device.copy([
          { source: place(refs[2]), target: mappedAt(address, PAGE - 1000), length: 2000 },
        ])
        assert.equal(status, 0)
        assert.deepEqual([...peek(address + PAGE - 1001, 2), ...peek(address + PAGE + 999, 2)], [1, 3, 3, 2])
      },
    },
    {
      name: 'more segments than the driver hands to Xen at once, each with its own fate',
      run(t) {
        const { refs } = granted(t, 1)
        const gone = goneRef(t)
        const { bytes, local } = memory(100)
        const segments = Array.from({ length: 100 }, (_, i) => ({
          source: place(i % 7 === 3 ? gone : refs[0]),
          target: { ...local, offset: i },
          length: 1,
        }))
        const statuses = mapDevice(t).copy(segments)
        for (const [i, status] of statuses.entries()) {
          assert.deepEqual([status, bytes[i]], i % 7 === 3 ? [-1, 0] : [0, 1], `segment ${i}`)
        }
      },
    },
    {
      name: 'status of each kind of refusal',
      run(t) {
        const [ref] = granted(t, 1).refs
        const [readOnly] = granted(t, 1, { writable: false }).refs
        const [foreign] = granted(t, 1, { domid: 9 }).refs
        const { local } = memory(16)
        const device = mapDevice(t)
        const read = (source) => device.copy([{ source, target: local, length: 8 }])[0]
        const write = (target) => device.copy([{ source: local, target, length: 8 }])[0]
        assert.deepEqual(
          {
            readsReadOnly: read(place(readOnly)),
            writesReadOnly: write(place(readOnly)),
            notForUs: read(place(foreign)),
            notGranted: read(place(goneRef(t))),
            beyondTheTable: read(place(0x7fff_ffff)),
            noSuchDomain: read(place(ref, 0, 999)),
            reservedDomain: read(place(ref, 0, 0x7ff4)),
            badTargetDomain: device.copy([
              { source: place(goneRef(t)), target: place(ref, 0, 999), length: 8 },
            ])[0],
          },
          {
            readsReadOnly: 0,
            writesReadOnly: -1,
            notForUs: -1,
            notGranted: -1,
            beyondTheTable: -3,
            noSuchDomain: -2,
            reservedDomain: -2,
            badTargetDomain: -2,
          },
        )
      },
    },
    {
      name: 'refuses two local sides, a piece that crosses its page, and memory that is not there',
      run(t) {
        const [ref] = granted(t, 1).refs
        const { local } = memory(PAGE)
        const device = mapDevice(t)
        const copy = (source, target, length = 8) => device.copy([{ source, target, length }])
        assert.throws(() => copy(local, { ...local, offset: 64 }), ioctlRefused('EINVAL'))
        assert.throws(() => copy(place(ref, 4090), local), ioctlRefused('EINVAL'))
        assert.throws(() => copy(local, place(ref, 4090)), ioctlRefused('EINVAL'))
        assert.throws(
          () => copy(place(ref), { ...local, offset: PAGE - addressOf(new Uint8Array(local.buffer)) }),
          ioctlRefused('EFAULT'),
        )
        assert.deepEqual([...device.copy([])], [])
      },
    },
    {
      name: 'the local side may be a mapping of another grant',
      run(t) {
        const { refs, names, address: granters } = granted(t, 2)
        const device = mapDevice(t)
        const { address, munmap, forget } = mapped(device, [names[1]])
        assert.deepEqual(
          [...device.copy([{ source: place(refs[0]), target: mappedAt(address), length: 8 }])],
          [0],
        )
        assert.deepEqual([...peek(granters + PAGE + 7, 2)], [1, 2])
        munmap()
        forget()
      },
    },
  ],
}
