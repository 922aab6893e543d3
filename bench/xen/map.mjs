import { GrantMapper, GrantServer } from '../../dist/src/index.js'
import { all, compare, inC, timed } from './programs/compare.mjs'

const TEN_MINUTES = 600_000
const MIB_PAGES = 256

/** Pages of this domain, for this domain. */
async function withGrants(pages, flight, work) {
  const server = await GrantServer.open({ headroom: 0 })
  const mapper = await GrantMapper.open()
  const grants = await all(flight, () => server.share({ domid: 0, pages, writable: true }))
  const rows = await work(mapper, grants)
  await mapper.close()
  await server.close()
  return rows
}

/** @param times of libxengnttab, at most */
async function mapped(pages, flight, times) {
  return withGrants(pages, flight, async (mapper, grants) => {
    const round = async () => {
      const mappings = await Promise.all(
        grants.map(({ refs }) => mapper.map({ domid: 0, refs, writable: true })),
      )
      await Promise.all(mappings.map((mapping) => mapping.unmap()))
    }
    const ours = (operations) =>
      timed(async () => {
        for (let left = operations; left > 0; left -= flight) await round()
      })
    await ours(6400)
    const c = await inC('map_rate', [pages, flight, ...grants.flatMap(({ refs }) => [...refs])], {
      each: flight,
    })
    const what = `map and unmap ${pages} page${pages > 1 ? 's' : ''}, ${flight} at once`
    const row = await compare(what, 4 * flight, { 'xen-grants': ours, libxengnttab: c.run }, { times })
    await c.end()
    return [row]
  })
}

async function copied(pages) {
  return withGrants(pages, 1, async (mapper, [{ refs }]) => {
    const target = new Uint8Array(new SharedArrayBuffer(pages * 4096))
    const segments = [...refs].map((ref, i) => ({
      source: { domid: 0, ref },
      target: target.subarray(i * 4096, (i + 1) * 4096),
    }))
    const ours = (operations) =>
      timed(async () => {
        for (let left = operations; left > 0; left--) await mapper.copy(segments)
      })
    await ours(pages > 1 ? 50 : 2000)
    const c = await inC('copy_rate', refs)
    const what = `copy ${pages > 1 ? '1 MiB' : '4 KiB'} out of grants`
    const row = await compare(what, pages > 1 ? 4 : 100, { 'xen-grants': ours, libxengnttab: c.run })
    await c.end()
    return [row]
  })
}

const tests = [
  ['64 single pages', () => mapped(1, 64, 2.5)],
  ['256 pages', () => mapped(MIB_PAGES, 1, 1.3)],
  ['a copy of a page', () => copied(1)],
  ['a copy of 256 pages', () => copied(MIB_PAGES)],
]

export default {
  name: 'map and copy',
  tests: tests.map(([name, run]) => ({
    name,
    timeoutMs: TEN_MINUTES,
    run: async () => ({ rows: await run() }),
  })),
}
