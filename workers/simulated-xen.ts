import { parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/native/load-native.js'
import type { HostOptions } from '../src/simulated/host/host.js'
import type { GateData } from '../src/simulated/spawn.js'

/** The thread of one SimulatedXen: says so once programs can connect, then serves until it is terminated. */
const { gate, ...options } = workerData as HostOptions & GateData
// All of the start: the exit of the process takes the files away that are opened there.
await loadNative(gate, async () => {
  const { startHost } = await import('../src/simulated/host/host.js')
  await startHost(options)
})
parentPort?.postMessage('ready')
