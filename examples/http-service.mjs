// A web server in one domain and its client in another, without a network: any server of node:http over a service, and an
// agent for http.request. Each domain is a process of its own.
//
//   node examples/http-service.mjs
//
// Here they are domains of a simulated Xen. On a real one leave `on` out and run each part in its own domain.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { listen, VchanAgent } from 'xen-grants/vchan'

const [SERVER, CLIENT] = [3, 5]
const [, , path] = process.argv

async function server(simulated) {
  const xen = await Xen.open({ on: simulated.domain(SERVER) })
  const pages = createServer(async (incoming, response) => {
    const body = await text(incoming)
    response.end(
      `${incoming.method} ${incoming.url} from domain ${incoming.socket.domid}: ${body.length} bytes\n`,
    )
  })
  const service = await listen(xen, { name: 'http', domids: [CLIENT] }, (socket) => {
    pages.emit('connection', socket)
  })
  await once(process, 'disconnect')
  await service.close({ force: true })
  await xen.close()
}

async function client(simulated) {
  const xen = await Xen.open({ on: simulated.domain(CLIENT) })
  const agent = new VchanAgent(xen, { domid: SERVER, name: 'http', keepAlive: true })
  for (const [method, body] of [
    ['GET', ''],
    ['POST', 'words'.repeat(100_000)],
  ]) {
    const outgoing = request({ agent, method, path: '/greeting' }).end(body)
    const [response] = await once(outgoing, 'response')
    process.stdout.write(`${response.statusCode}: ${await text(response)}`)
  }
  agent.destroy()
  await xen.close()
}

if (path === undefined) {
  const simulated = await SimulatedXen.create()
  const child = fork(import.meta.filename, [simulated.path])
  const ended = once(child, 'exit')
  await client(simulated)
  child.disconnect()
  await ended
  await simulated.close()
} else {
  const simulated = await SimulatedXen.attach(path)
  await server(simulated)
  await simulated.close()
}
