// The threads of the pool each run checksummed-noise.mjs over slices of the grant: the pages are computed where they
// lie, off the event loop, and only a checksum per slice comes back.
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'

const xen = await SimulatedXen.create({ limit: 4096 })
const server = await GrantServer.open({ device: xen })
try {
  const grant = await server.share({ domid: 7, pages: 2048 })
  const checksums = await grant.run(new URL('./checksummed-noise.mjs', import.meta.url), {
    args: { seed: 42 },
    sliceBytes: 1 << 20,
    signal: AbortSignal.timeout(30_000),
  })
  console.log(`${checksums.length} slices filled`)
  for (const [index, checksum] of checksums.entries()) console.log(index, checksum)
} finally {
  await server.close()
  await xen.close()
}
