// An echo service of this domain in a process of its own: service.mjs <name> [<domid>]
import { Xen } from 'xen-grants'
import { listen } from 'xen-grants/vchan'

const [name, domid = '0'] = process.argv.slice(2)
await listen(await Xen.open(), { name, domids: [Number(domid)] }, (socket) =>
  socket.on('error', () => {}).pipe(socket),
)
console.log('listening')
