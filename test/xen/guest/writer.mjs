// A thread that writes into grants. It connects with each { port, ownPages } and shares so many pages for itself. For each
// { handle, round, pauseMs } it attaches, then stores into its view without ever going back to its event loop, until the first
// field of `state` is no longer that round; field 1 + number counts how often it has been through the view. Then it posts how
// many bytes it has left: of `bytes`, once it has heard what became of the grant, and of an old view of its own pages those
// that are not zero.
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { GrantClient } from 'xen-grants'

const { state, number } = workerData
const STRIDE = 8
/** Between two counts: all threads count under one lock of V8, which would be all they do. */
const STORES = 10_000
let client
let ownView

async function connect({ port, ownPages }) {
  client = await GrantClient.connect(port)
  ownView = ownPages > 0 ? (await client.share({ domid: 0, pages: ownPages })).bytes.fill(1) : []
  return 'connected'
}

function writeUntilStopped(bytes, { round, pauseMs }) {
  while (Atomics.load(state, 0) === round) {
    for (let stores = 0; stores < STORES; stores += bytes.length / STRIDE)
      for (let at = number; at < bytes.length; at += STRIDE) bytes[at] = round
    Atomics.add(state, 1 + number, 1)
    Atomics.notify(state, 1 + number)
    if (pauseMs > 0) Atomics.wait(state, 0, round, pauseMs)
  }
}

async function write(order) {
  const grant = await client.attach(order.handle)
  writeUntilStopped(grant.bytes, order)
  // The news that the grant is gone waits in a port of this thread.
  for (let tries = 0; grant.bytes.length + (ownView[0] ?? 0) > 0 && tries < 1000; tries++) await sleep(20)
  return grant.bytes.length + ownView.filter((byte) => byte !== 0).length
}

parentPort.on('message', async (order) => {
  parentPort.postMessage(await (order.port ? connect(order) : write(order)))
})
