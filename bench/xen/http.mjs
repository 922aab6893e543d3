import http from 'node:http'
import { Xen } from '../../dist/src/index.js'
import { VchanAgent } from '../../dist/src/vchan.js'
import { guest, startToolstack } from '../../test/xen/guest/domains.mjs'
import { load } from '../lib/http-load.mjs'
import { compare } from './programs/compare.mjs'
import { talk } from './programs/talk.mjs'

const SERVER = new URL('./programs/http-server.mjs', import.meta.url).pathname
const SOCKET = '/tmp/benchmark.sock'
const NAME = 'benchmark'
const REQUESTS = 100
const WARM_UP = 2000
/** On that clock a guest takes long to start Node. */
const STARTS_MS = 120_000

/** Requests of this process to the service of a domain, beside requests to a Unix socket of dom0. */
async function requests(connections, what, domid = 0) {
  await startToolstack()
  const server = talk(process.execPath, SERVER, NAME, SOCKET)
  await server.line()
  const xen = await Xen.open()
  const pool = { keepAlive: true, maxSockets: connections }
  const service = new VchanAgent(xen, { domid, name: NAME, connectTimeout: STARTS_MS, ...pool })
  const agents = {
    'a service': { agent: service },
    'a Unix socket': { agent: new http.Agent(pool), socketPath: SOCKET },
  }
  const way = (options) => async (count) => (await load(options, connections, count)) * 1e6
  const ways = Object.fromEntries(Object.entries(agents).map(([name, options]) => [name, way(options)]))
  for (const run of Object.values(ways)) await run(WARM_UP)
  // Half the rate of a Unix socket, at least.
  const row = await compare(what, REQUESTS, ways, { times: 2 })
  for (const { agent } of Object.values(agents)) agent.destroy()
  await server.end()
  await xen.close()
  return row
}

/** The same server in a guest. It takes minutes to boot, so that one serves all, and is gone before another suite begins. */
async function requestsToGuest(t, counts) {
  const domain = await guest('http', 'node')
  t.defer(() => domain.destroy())
  // It ends with its standard input.
  domain.give(`sleep 100000 | node ${SERVER} ${NAME} ${SOCKET}`)
  const rows = []
  for (const count of counts)
    rows.push(await requests(count, `a request to a guest, ${count} connections`, domain.domid))
  return { rows }
}

const COUNTS = [1, 20]

export default {
  name: 'HTTP',
  tests: [
    ...COUNTS.map((count) => ({
      name: `${count} kept`,
      timeoutMs: 600_000,
      run: async () => ({ rows: [await requests(count, `a request, ${count} connections`)] }),
    })),
    {
      name: `to a guest, ${COUNTS.join(' and ')} kept`,
      timeoutMs: 1_200_000,
      run: (t) => requestsToGuest(t, COUNTS),
    },
  ],
}
