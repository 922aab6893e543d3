// Small HTTP answers, on a service for this same domain and on a Unix socket, until standard input closes.
//
//   http-server.mjs <service> <socket>
import { once } from 'node:events'
import { Xen } from '../../../dist/src/index.js'
import { listen } from '../../../dist/src/vchan.js'
import { smallAnswers } from '../../lib/http-load.mjs'

const [name, path] = process.argv.slice(2)
const server = smallAnswers()
await once(server.listen(path), 'listening')
const xen = await Xen.open()
const service = await listen(xen, { name, domids: [0], window: 4096 }, (socket) =>
  server.emit('connection', socket),
)
console.log('listening')
process.stdin.resume()
await once(process.stdin, 'end')
server.close()
server.closeAllConnections()
await service.close({ force: true })
await xen.close()
