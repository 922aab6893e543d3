import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'

// On Xen, leave the device out: the default is /dev/xen/gntalloc.
const xen = await SimulatedXen.create()
const server = await GrantServer.open({ device: xen })

// 1 MiB that domain 7 may read, filled from a file by a pool of threads.
const grant = await server.share({ domid: 7, pages: 256 })
await grant.fill({ file: process.execPath, length: grant.byteLength })
console.log(`domain 7 maps references ${grant.refs[0]} … ${grant.refs[255]}`)

// What domain 7 does, here in the same process.
const peer = await xen.domain(7).map(grant.refs)
console.log('it reads', Buffer.from(peer.bytes.subarray(0, 4)))
await peer.unmap()

await grant.unshare()
await server.close()
await xen.close()
