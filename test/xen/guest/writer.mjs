// A thread that writes into grants. For each { handle, round } it attaches, then stores into its view without ever going
// back to its event loop, until the first field of `state` is no longer that round; field 1 + number counts how often it
// has been through the view. Then it posts how long `bytes` is once the thread has heard what became of the grant.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { GrantClient } from 'xen-grants'

const { port, state, number } = workerData
const STRIDE = 8
/** Between two counts: all threads count under one lock of V8, which would be all they do. */
const STORES = 10_000
const client = await GrantClient.connect(port)

function writeUntilStopped(bytes, round) {
  while (Atomics.load(state, 0) === round) {
    for (let stores = 0; stores < STORES; stores += bytes.length / STRIDE)
      for (let at = number; at < bytes.length; at += STRIDE) bytes[at] = round
    Atomics.add(state, 1 + number, 1)
    Atomics.notify(state, 1 + number)
  }
}

parentPort.postMessage('connected')
for (;;) {
  const [{ handle, round }] = await once(parentPort, 'message')
  const grant = await client.attach(handle)
  writeUntilStopped(grant.bytes, round)
  // The news that the grant is gone waits in a port of this thread.
  for (let tries = 0; grant.bytes.length > 0 && tries < 1000; tries++) await turn()
  parentPort.postMessage(grant.bytes.length)
}
