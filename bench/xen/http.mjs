import http from 'node:http'
import { Xen } from '../../dist/src/index.js'
import { VchanAgent } from '../../dist/src/vchan.js'
import { startToolstack } from '../../test/xen/guest/domains.mjs'
import { load } from '../lib/http-load.mjs'
import { compare } from './programs/compare.mjs'
import { talk } from './programs/talk.mjs'

const SERVER = new URL('./programs/http-server.mjs', import.meta.url).pathname
const SOCKET = '/tmp/benchmark.sock'
const NAME = 'benchmark'
const REQUESTS = 100
const WARM_UP = 2000

async function requests(connections) {
  await startToolstack()
  const server = talk(process.execPath, SERVER, NAME, SOCKET)
  await server.line()
  const xen = await Xen.open()
  const pool = { keepAlive: true, maxSockets: connections }
  const agents = {
    'a service': { agent: new VchanAgent(xen, { domid: 0, name: NAME, ...pool }) },
    'a Unix socket': { agent: new http.Agent(pool), socketPath: SOCKET },
  }
  const way = (options) => async (count) => (await load(options, connections, count)) * 1e6
  const ways = Object.fromEntries(Object.entries(agents).map(([name, options]) => [name, way(options)]))
  for (const run of Object.values(ways)) await run(WARM_UP)
  // Half the rate of a Unix socket, at least.
  const row = await compare(`a request, ${connections} connections`, REQUESTS, ways, { times: 2 })
  for (const { agent } of Object.values(agents)) agent.destroy()
  await server.end()
  await xen.close()
  return { rows: [row] }
}

export default {
  name: 'HTTP',
  tests: [1, 20].map((connections) => ({
    name: `${connections} kept`,
    timeoutMs: 600_000,
    run: () => requests(connections),
  })),
}
