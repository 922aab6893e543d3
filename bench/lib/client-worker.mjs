// A client thread that measures its own operations, one after the other.
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { GrantClient } from 'xen-grants'

const { operations, port } = workerData
const client = port && (await GrantClient.connect(port))
const microseconds = []
for (let i = -5; i < operations; i++) {
  const began = performance.now()
  if (client) {
    const grant = await client.share({ domid: 7, pages: 1 })
    await grant.unshare()
  } else {
    parentPort.postMessage({ relay: true })
    await once(parentPort, 'message')
  }
  if (i >= 0) microseconds.push((performance.now() - began) * 1000)
}
await client?.close()
parentPort.postMessage({ microseconds })
parentPort.unref()
