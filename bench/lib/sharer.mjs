// A client thread that shares one page after the other, and tells how long each share() took.
import { parentPort, workerData } from 'node:worker_threads'
import { GrantClient } from 'xen-grants'

const client = await GrantClient.connect(workerData.port)
let milliseconds
let stop = false

parentPort.on('message', async (message) => {
  if (message === 'begin') {
    milliseconds = []
    stop = false
    parentPort.postMessage('began')
    while (!stop) {
      const began = performance.now()
      const grant = await client.share({ domid: 7, pages: 1 })
      milliseconds.push(performance.now() - began)
      await grant.unshare()
    }
    parentPort.postMessage(milliseconds)
  } else if (message === 'stop') stop = true
  else {
    await client.close()
    parentPort.close()
  }
})
