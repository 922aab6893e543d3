import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { throughGate } from '../src/memory/native-gate.js'
import type { EventServiceData } from '../src/protocol/messages.js'

const data = workerData as EventServiceData
const { runEventWorker } = await throughGate(data.gate, () => import('../src/events/event-worker.js'))
await runEventWorker(parentPort as MessagePort, data)
