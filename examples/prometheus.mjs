// Metrics of grants and streams for Prometheus: stats() read when somebody scrapes, events counted as they happen.
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Counter, Gauge, Registry } from 'prom-client'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, listen } from 'xen-grants/vchan'

const simulated = await SimulatedXen.create()
const xen = await Xen.open({ on: simulated })
const server = await xen.grants()

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
const streams = (name, help) =>
  new Counter({ name: `xen_grants_stream_${name}_total`, help, labelNames: ['domid'], registers: [registry] })
const ended = streams('ended', 'Streams that have ended')
const bytes = streams('bytes', 'Bytes read and written by them')
const events = streams('events', 'Notifications sent and received by them')
const stalls = streams('stalls', 'Writes that had to wait for the other end')
subscribe('xen-grants:stream-close', ({ domid, ...stream }) => {
  ended.inc({ domid })
  bytes.inc({ domid }, stream.bytesRead + stream.bytesWritten)
  events.inc({ domid }, stream.eventsSent + stream.eventsReceived)
  stalls.inc({ domid }, stream.stalls)
})
subscribe('xen-grants:error', ({ operation, error }) => failures.inc({ operation, code: error.code ?? '' }))

const metrics = createServer(async (_request, response) => {
  response.setHeader('content-type', registry.contentType).end(await registry.metrics())
}).listen(0, '127.0.0.1')
await once(metrics, 'listening')

const grant = await server.share({ domid: 7, pages: 16 })
await server.share({ domid: 7, pages: 100_000 }).catch(() => {})

// A stream that has been and gone, to domain 7.
const client = await Xen.open({ on: simulated.domain(7) })
const service = await listen(xen, { name: 'echo', domids: [7] }, (socket) => socket.pipe(socket))
const socket = await connect(client, { domid: 0, name: 'echo' })
socket.write('hello')
await once(socket, 'data')
socket.end()
await service.close()
await client.close()

// What Prometheus does, every few seconds.
const answer = await fetch(`http://127.0.0.1:${metrics.address().port}/metrics`)
console.log(await answer.text())

metrics.close()
metrics.closeAllConnections()
await grant.unshare()
await xen.close()
await simulated.close()
