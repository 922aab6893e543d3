import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { GrantServer } from 'xen-grants'
import { eventually } from '../../contract/support.mjs'
import { limit, RESERVE, STATUS_PAGES, setFreePerIteration, setLimit } from '../guest/module.mjs'
import { PAGE, peek, poke } from '../guest/raw.mjs'

const FILLER = new URL('../../fixtures/filler.mjs', import.meta.url)

let opened

/** The server on the device it finds by itself, and the other side of what it grants. One for all: starting takes long. */
async function open(t) {
  opened ??= GrantServer.open()
  const server = await opened
  return { server, peer: t.gntdev() }
}

export default {
  name: 'GrantServer',
  tests: [
    {
      name: 'shares, fills and shows the peer every byte; the peer answers; unshare takes it back',
      async run(t) {
        const { server, peer } = await open(t)
        const grant = await server.share({ domid: 0, pages: 20, writable: true })
        const bytes = randomBytes(20 * PAGE)
        assert.equal((await grant.fill(bytes)).bytes, bytes.length)
        const mapped = peer.map(grant.refs)
        assert.ok(peek(mapped.address, 20 * PAGE).equals(bytes))
        poke(mapped.address + 19 * PAGE, [1, 2, 3])
        assert.deepEqual([...grant.bytes.subarray(19 * PAGE, 19 * PAGE + 3)], [1, 2, 3])
        mapped.unmap()
        const { refs } = grant
        await grant.unshare()
        assert.deepEqual(
          [...refs].map((ref) => peer.canMap(ref)),
          [...refs].map(() => false),
        )
      },
    },
    {
      name: 'grants for reading unless told otherwise',
      async run(t) {
        const { server, peer } = await open(t)
        const grant = await server.share({ domid: 0, pages: 1 })
        assert.throws(() => peer.map(grant.refs), { code: 'EINVAL' })
        peer.map(grant.refs, { writable: false }).unmap()
        await grant.unshare()
      },
    },
    {
      name: 'fills from a file, and by a module in the filler threads',
      async run(t) {
        const { server, peer } = await open(t)
        const grant = await server.share({ domid: 0, pages: 64 })
        const mapped = peer.map(grant.refs, { writable: false })
        const content = randomBytes(64 * PAGE - 100)
        writeFileSync('/tmp/content', content)
        await grant.fill({ file: '/tmp/content' })
        assert.ok(peek(mapped.address, content.length).equals(content))
        await grant.run(FILLER, { sliceBytes: 16 * PAGE })
        const seen = [0, 16, 32, 48].map((page) => peek(mapped.address + page * PAGE)[0])
        assert.deepEqual(seen, [1, 2, 3, 4])
        mapped.unmap()
        await grant.unshare()
      },
    },
    {
      name: 'zeroes what a peer still maps when it is unshared',
      async run(t) {
        setFreePerIteration(t, 0)
        const { server, peer } = await open(t)
        const grant = await server.share({ domid: 0, pages: 3 })
        grant.bytes.fill(0x5a)
        const mapped = peer.map(grant.refs, { writable: false })
        await grant.unshare()
        assert.ok(peek(mapped.address, 3 * PAGE).equals(Buffer.alloc(3 * PAGE)))
        mapped.unmap()
      },
    },
    {
      name: 'its former peer finds zeros wherever it can still map: a page taken back, and one that is granted anew',
      async run(t) {
        setFreePerIteration(t, 0)
        const { server, peer } = await open(t)
        // Many, so that what is granted next is most likely made of the same frames again.
        const pages = 900
        const zeros = Buffer.alloc(pages * PAGE)
        for (const force of [false, true]) {
          const grant = await server.share({ domid: 0, pages, writable: true })
          grant.bytes.fill(0x5a)
          const { refs } = grant
          const mapped = peer.map(refs)
          assert.equal(peek(mapped.address + zeros.length - 1)[0], 0x5a)
          await grant.unshare({ force })
          assert.ok(peek(mapped.address, zeros.length).equals(zeros), 'what it maps')
          // It may, as long as it maps them: docs/driver.md.
          const again = peer.map(refs)
          assert.ok(peek(again.address, zeros.length).equals(zeros), 'what it maps again')
          poke(again.address, Buffer.alloc(zeros.length, 0xa5))
          again.unmap()
          mapped.unmap()
          await eventually(() => !peer.canMap(refs[0]) && !peer.canMap(refs[pages - 1]), 'the kernel lets go')

          const next = await server.share({ domid: 0, pages })
          const fresh = peer.map(next.refs, { writable: false })
          assert.ok(peek(fresh.address, zeros.length).equals(zeros), 'what is granted next')
          fresh.unmap()
          await next.unshare()
        }
      },
    },
    {
      name: 'counts what it holds',
      async run(t) {
        const { server } = await open(t)
        const grants = await Promise.all([1, 2, 3].map((pages) => server.share({ domid: pages, pages })))
        await grants[0].unshare()
        const { grants: count, pages, domains, maxPages, calls } = await server.stats()
        assert.deepEqual(
          { count, pages, maxPages },
          { count: 2, pages: 5, maxPages: limit() - RESERVE - STATUS_PAGES },
        )
        assert.deepEqual(domains, { 2: 2, 3: 3 })
        assert.ok(calls.allocate >= 1)
        for (const grant of grants) await grant.unshare()
      },
    },
    {
      name: 'tells a full limit from other lack of space, and goes on when there is room again',
      async run(t) {
        const { server } = await open(t)
        const holder = t.gntalloc()
        const { index } = holder.allocate(0, 1, limit() - RESERVE - 4)
        await assert.rejects(server.share({ domid: 0, pages: 5 }), {
          name: 'GrantError',
          code: 'ENOSPC',
          reason: 'limit',
          domid: 0,
          pages: 5,
          path: '/dev/xen/gntalloc',
        })
        const grant = await server.share({ domid: 0, pages: 4 })
        const waiting = server.share({ domid: 0, pages: 5, wait: true })
        holder.deallocate(index, 10)
        await grant.unshare()
        const late = await waiting
        assert.equal(late.pages, 5)
        await late.unshare()
      },
    },
    {
      name: 'sees a limit that root raises while it runs',
      async run(t) {
        const { server } = await open(t)
        setLimit(t, 8)
        await assert.rejects(server.share({ domid: 0, pages: 9 }), { reason: 'limit' })
        setLimit(t, 100)
        await (await server.share({ domid: 0, pages: 9 })).unshare()
      },
    },
    {
      name: 'gives everything back when it is closed',
      async run(t) {
        const { server, peer } = await open(t)
        const grants = await Promise.all([5, 50, 500].map((pages) => server.share({ domid: 0, pages })))
        const refs = grants.flatMap((grant) => [...grant.refs])
        await server.close()
        assert.ok(refs.every((ref) => !peer.canMap(ref)))
        assert.equal(t.gntalloc().allocate(0, 1, limit()).refs.length, limit())
      },
    },
  ],
}
