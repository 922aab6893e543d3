// Maps an offer through the public API, prints "mapped" and the first byte of each page, and holds it; lets go when
// standard input closes.
//
//   api-mapper.mjs <offer as JSON> [<domid of the granter>]
import { once } from 'node:events'
import { EventChannels, GrantMapper } from '../../../dist/src/index.js'

const offer = JSON.parse(process.argv[2])
const mapper = await GrantMapper.open()
const events = offer.status.port === undefined ? undefined : await EventChannels.open()
const mapped = await mapper.map({ domid: Number(process.argv[3] ?? 0), offer, ...(events && { events }) })
console.log(`mapped ${JSON.stringify([...mapped.refs].map((_, page) => mapped.bytes[page * 4096]))}`)
process.stdin.resume()
await once(process.stdin, 'end')
await mapped.unmap()
console.log('unmapped')
await mapper.close()
await events?.close()
