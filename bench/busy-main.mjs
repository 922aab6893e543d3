// What a busy main thread costs the others: share + unshare from a client thread while main computes in slices of 40 ms, straight
// to the device worker and, for comparison, relayed through main.
// node bench/busy-main.mjs [operations]
import { Worker } from 'node:worker_threads'
import { GrantServer } from 'xen-grants'
import { nullDevice } from './lib/null-device.mjs'
import { report } from './lib/results.mjs'

const operations = Number(process.argv[2] ?? 40)
const server = await GrantServer.open({ device: nullDevice, scrub: false })
const samples = {}
for (const busy of [false, true]) {
  const samplesOf = {}
  samples[busy ? 'main busy, 40 ms slices' : 'main idle'] = samplesOf
  for (const way of ['straight', 'relayed through main']) {
    const port = way === 'straight' ? server.connect() : undefined
    const worker = new Worker(new URL('./lib/client-worker.mjs', import.meta.url), {
      workerData: { operations, port },
      transferList: port ? [port] : [],
    })
    let stop = false
    const done = new Promise((resolve) => {
      worker.on('message', async (message) => {
        if (message.relay) {
          const grant = await server.share({ domid: 7, pages: 1 })
          await grant.unshare()
          worker.postMessage('done')
        } else {
          stop = true
          resolve(message.microseconds)
        }
      })
    })
    while (busy && !stop) {
      const until = performance.now() + 40
      while (performance.now() < until);
      await new Promise((resolve) => setImmediate(resolve))
    }
    samplesOf[way] = await done
  }
}
await server.close()
report('busy-main', { title: 'One share and unshare from another thread', unit: 'µs', samples })
