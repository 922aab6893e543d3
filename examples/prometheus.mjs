// Metrics of a grant server for Prometheus: stats() read when somebody scrapes, events counted as they happen.
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Counter, Gauge, Registry } from 'prom-client'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'

const xen = await SimulatedXen.create()
const server = await GrantServer.open({ device: xen })

const registry = new Registry()
const gauge = (name, help, read) =>
  new Gauge({
    name: `xen_grants_${name}`,
    help,
    registers: [registry],
    async collect() {
      this.set(read(await server.stats()))
    },
  })
gauge('grants', 'Grants alive', (stats) => stats.grants)
gauge('pages', 'Pages granted', (stats) => stats.pages)
gauge('waiting', 'Requests that wait for pages or for other threads', (stats) => stats.waiting)
gauge('deferred_pages', 'Pages given back that peers still map', (stats) => stats.deferred.pages)
gauge('share_seconds_p99', '99th percentile of share()', (stats) => stats.shareLatency.p99 / 1000)
gauge('device_calls', 'Calls of the driver since the start', ({ calls }) =>
  Object.values(calls).reduce((sum, count) => sum + count, 0),
)
const failures = new Counter({
  name: 'xen_grants_failures_total',
  help: 'Calls that rejected',
  labelNames: ['operation', 'code'],
  registers: [registry],
})
subscribe('xen-grants:error', ({ operation, error }) => failures.inc({ operation, code: error.code ?? '' }))

const metrics = createServer(async (_request, response) => {
  response.setHeader('content-type', registry.contentType).end(await registry.metrics())
}).listen(0, '127.0.0.1')
await once(metrics, 'listening')

const grant = await server.share({ domid: 7, pages: 16 })
await server.share({ domid: 7, pages: 100_000 }).catch(() => {})

// What Prometheus does, every few seconds.
const answer = await fetch(`http://127.0.0.1:${metrics.address().port}/metrics`)
console.log(await answer.text())

metrics.close()
metrics.closeAllConnections()
await grant.unshare()
await server.close()
await xen.close()
