import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { throughGate } from '../src/native/gate.js'
import type { CleanerData } from '../src/threads/thread-messages.js'

const data = workerData as CleanerData
const { runCleaner } = await throughGate(data.gate, () => import('../src/threads/cleaner.js'))
runCleaner(parentPort as MessagePort, data)
