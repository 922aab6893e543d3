import { parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/device/load-native.js'
import type { HostOptions } from '../src/simulated/host.js'
import type { GateData } from '../src/simulated/thread.js'

/** The thread of one SimulatedXen: says so once programs can connect, then serves until it is terminated. */
const { gate, ...options } = workerData as HostOptions & GateData
// All of the start: the exit of the process takes the files away that are opened there.
await loadNative(gate, async () => {
  const { startHost } = await import('../src/simulated/host.js')
  await startHost(options)
})
parentPort?.postMessage('ready')
