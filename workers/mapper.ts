import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { throughGate } from '../src/memory/native-gate.js'
import type { MapServiceData } from '../src/protocol/messages.js'

const data = workerData as MapServiceData
const { runMapWorker } = await throughGate(data.gate, () => import('../src/mapping/map-worker.js'))
await runMapWorker(parentPort as MessagePort, data)
