import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { throughGate } from '../src/memory/native-gate.js'
import type { CleanerData } from '../src/protocol/messages.js'

const data = workerData as CleanerData
const { runCleaner } = await throughGate(data.gate, () => import('../src/memory/cleaner-worker.js'))
runCleaner(parentPort as MessagePort, data)
