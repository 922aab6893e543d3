import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/native/load-native.js'
import type { CleanerData } from '../src/threads/thread-messages.js'

const data = workerData as CleanerData
const { runCleaner } = await loadNative(data.gate, () => import('../src/threads/cleaner.js'))
runCleaner(parentPort as MessagePort, data)
