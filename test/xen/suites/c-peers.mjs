import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { checksum } from '../guest/checksum.mjs'
import { PAGE, peek, poke } from '../guest/raw.mjs'

const EINVAL = 22

function pageOf(bytes, page) {
  return bytes.subarray(page * PAGE, (page + 1) * PAGE)
}

/** Grants pages of random bytes to this domain. */
function grant(t, count, flags) {
  const device = t.gntalloc()
  const { index, refs } = device.allocate(0, flags, count)
  const address = device.mmap(index, count)
  const bytes = randomBytes(count * PAGE)
  poke(address, bytes)
  return { device, index, refs, address, bytes }
}

export default {
  name: 'libxengnttab',
  tests: [
    {
      name: 'maps what we grant and reads the same bytes',
      async run(t) {
        const { refs, bytes } = grant(t, 8, 0)
        const peer = t.peer('map_check', 0, 'r', ...refs)
        for (let page = 0; page < 8; page++) assert.equal(await peer.line(), checksum(pageOf(bytes, page)))
        assert.equal(await peer.line(), 'held')
        assert.deepEqual(await peer.end(), { output: [], code: 0, signal: null, stderr: '' })
      },
    },
    {
      name: 'writes into what we grant as writable',
      async run(t) {
        const { refs, address, bytes } = grant(t, 3, 1)
        const peer = t.peer('map_check', 0, 'w', ...refs)
        while ((await peer.line()) !== 'held');
        assert.ok(peek(address, 3 * PAGE).equals(bytes.map((byte) => ~byte)))
        assert.equal((await peer.end()).code, 0)
      },
    },
    {
      name: 'may not write into what we grant for reading',
      async run(t) {
        const { refs } = grant(t, 1, 0)
        const { output, code } = await t.peer('map_check', 0, 'w', ...refs).end()
        assert.deepEqual({ output, code }, { output: [`error ${EINVAL}`], code: 1 })
      },
    },
    {
      name: 'is refused what was taken back or granted to another domain',
      async run(t) {
        const { device, index, refs, address } = grant(t, 1, 1)
        device.munmap(address, PAGE)
        device.deallocate(index, 1)
        const elsewhere = device.allocate(9, 1, 1).refs[0]
        for (const ref of [refs[0], elsewhere]) {
          assert.deepEqual((await t.peer('map_check', 0, 'r', ref).end()).output, [`error ${EINVAL}`])
        }
      },
    },
    {
      name: 'keeps its bytes when we take the page back under it',
      async run(t) {
        const { device, index, refs, address } = grant(t, 1, 1)
        const peer = t.peer('map_check', 0, 'r', ...refs)
        while ((await peer.line()) !== 'held');
        device.munmap(address, PAGE)
        device.deallocate(index, 1)
        assert.ok(t.gntdev().canMap(refs[0]), 'deferred')
        assert.equal((await peer.end()).code, 0)
      },
    },
    {
      name: 'shares with us: we read its bytes and it reads ours',
      async run(t) {
        const peer = t.peer('share', 0, 'w', 3)
        const refs = []
        for (let line = await peer.line(); line !== 'shared'; line = await peer.line()) {
          refs.push(Number(/^ref (\d+)$/.exec(line)[1]))
        }
        const mapped = t.gntdev().map(refs)
        const expected = Buffer.from({ length: 3 * PAGE }, () => 0)
        for (let i = 0; i < 3 * PAGE; i++) expected[i] = (i % PAGE) * 7 + Math.floor(i / PAGE) * 13 + 1
        assert.ok(peek(mapped.address, 3 * PAGE).equals(expected))
        for (let page = 0; page < 3; page++) poke(mapped.address + page * PAGE, [200 + page])
        mapped.unmap()
        const { output, code } = await peer.end()
        assert.deepEqual({ output, code }, { output: ['byte 200', 'byte 201', 'byte 202'], code: 0 })
      },
    },
  ],
}
