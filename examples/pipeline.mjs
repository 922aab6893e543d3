// A grant as the end of a pipeline: decompressed bytes go from the stream straight into the shared pages.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, gzipSync } from 'node:zlib'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'

const text = 'shared memory between domains\n'.repeat(10_000)
const xen = await SimulatedXen.create()
const server = await GrantServer.open({ device: xen })
try {
  const grant = await server.share({ domid: 7, pages: Math.ceil(text.length / 4096) })
  await pipeline(Readable.from([gzipSync(text)]), createGunzip(), grant.createWriteStream())

  const peer = await xen.domain(7).map(grant.refs)
  const seen = Buffer.from(peer.bytes.subarray(0, text.length)).toString()
  console.log(seen === text ? 'the peer reads what was piped' : 'the peer reads something else')
  await peer.unmap()
} finally {
  await server.close()
  await xen.close()
}
