import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { throughGate } from '../src/native/gate.js'
import type { GateData } from '../src/simulated/spawn.js'

const { gate, path } = workerData as { path: string } & GateData
const { runPeerWorker } = await throughGate(gate, () => import('../src/simulated/devices/peer-worker.js'))
runPeerWorker(parentPort as MessagePort, path)
