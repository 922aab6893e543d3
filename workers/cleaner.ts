import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/device/load-native.js'
import type { CleanerData } from '../src/protocol/messages.js'

const data = workerData as CleanerData
const { runCleaner } = await loadNative(data.gate, () => import('../src/memory/cleaner-worker.js'))
runCleaner(parentPort as MessagePort, data)
