// Answers whatever comes, at once, until standard input closes. Prints "ready" when it does.
//
//   answerer.mjs socket <path>                       each chunk by itself
//   answerer.mjs events <simulated Xen> <port>       as domain 5, each event of that port of domain 3 by one
import { once } from 'node:events'
import { connect } from 'node:net'
import { EventChannels } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'

const [kind, path, port] = process.argv.slice(2)

const kinds = {
  async socket() {
    const socket = connect(path)
    await once(socket, 'connect')
    socket.on('data', (chunk) => socket.write(chunk))
    return () => socket.destroy()
  },
  async events() {
    const xen = await SimulatedXen.attach(path)
    const events = await EventChannels.open({ device: xen.domain(5) })
    const channel = await events.bindInterdomain(3, Number(port))
    // Binding makes the port fire once by itself: that one is not answered.
    await channel.wait()
    channel.on('event', () => channel.notify())
    return async () => {
      await events.close()
      await xen.close()
    }
  },
}

const end = await kinds[kind]()
console.log('ready')
process.stdin.resume()
await once(process.stdin, 'end')
await end()
