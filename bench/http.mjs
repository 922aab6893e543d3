// Small answers of an HTTP server in another process, over connections that are kept: a service between domains 3 and 5 of a
// simulated Xen beside a Unix socket. node bench/http.mjs [rounds] [requests]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { listen, VchanAgent } from 'xen-grants/vchan'
import { load, smallAnswers } from './lib/http-load.mjs'
import { report } from './lib/results.mjs'

const [SERVER, CLIENT] = [3, 5]

if (process.env.XEN_GRANTS_BENCH_PEER) await peer(process.env.XEN_GRANTS_BENCH_PEER)
else await main(Number(process.argv[2] ?? 7), Number(process.argv[3] ?? 10_000))

async function peer(place) {
  const simulated = await SimulatedXen.attach(place)
  const xen = await Xen.open({ on: simulated.domain(SERVER) })
  const server = smallAnswers()
  await once(server.listen(`${place}/bench`), 'listening')
  const service = await listen(xen, { name: 'bench', domids: [CLIENT], window: 4096 }, (socket) =>
    server.emit('connection', socket),
  )
  process.send('ready')
  await once(process, 'message')
  server.close()
  server.closeAllConnections()
  await service.close({ force: true })
  await xen.close()
  await simulated.close()
  process.disconnect()
}

async function main(rounds, requests) {
  const simulated = await SimulatedXen.create({ limit: 8192 })
  const xen = await Xen.open({ on: simulated.domain(CLIENT) })
  const child = fork(import.meta.filename, {
    env: { ...process.env, XEN_GRANTS_BENCH_PEER: simulated.path },
  })
  await once(child, 'message')
  const samples = {}
  for (const connections of [1, 100]) {
    const pool = { keepAlive: true, maxSockets: connections }
    const agents = {
      'a Unix socket': { agent: new http.Agent(pool), socketPath: `${simulated.path}/bench` },
      'a service': { agent: new VchanAgent(xen, { domid: SERVER, name: 'bench', ...pool }) },
    }
    const rows = {}
    samples[`${connections} connection${connections > 1 ? 's' : ''}`] = rows
    const count = connections > 1 ? requests : requests / 5
    for (let round = -1; round < rounds; round++) {
      for (const [name, options] of Object.entries(agents)) {
        const milliseconds = await load(options, connections, count)
        rows[name] ??= []
        if (round >= 0) rows[name].push(count / (milliseconds / 1000))
      }
    }
    for (const { agent } of Object.values(agents)) agent.destroy()
  }
  child.send('end')
  await once(child, 'exit')
  await xen.close()
  await simulated.close()
  report('http', {
    title: 'Small HTTP answers from another process',
    unit: 'requests/s',
    lowerIsBetter: false,
    baseline: 'a Unix socket',
    samples,
  })
}
