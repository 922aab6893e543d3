import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/native/load-native.js'
import type { GateData } from '../src/simulated/spawn.js'

const { gate, path } = workerData as { path: string } & GateData
const { runPeerWorker } = await loadNative(gate, () => import('../src/simulated/devices/peer-worker.js'))
runPeerWorker(parentPort as MessagePort, path)
