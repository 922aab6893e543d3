import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { MapServiceData } from '../src/mapping/map-messages.js'
import { throughGate } from '../src/native/gate.js'

const data = workerData as MapServiceData
const { runMapWorker } = await throughGate(data.gate, () => import('../src/mapping/worker/map-worker.js'))
await runMapWorker(parentPort as MessagePort, data)
