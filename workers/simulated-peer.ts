import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/native/load-native.js'
import type { GateData } from '../src/simulated/spawn.js'

const { gate, path } = workerData as { path: string } & GateData
// All of the start: the exit of the process takes the file away that is opened there.
await loadNative(gate, async () => {
  const { runPeerWorker } = await import('../src/simulated/devices/peer-worker.js')
  runPeerWorker(parentPort as MessagePort, path)
})
