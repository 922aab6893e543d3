import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { MapServiceData } from '../src/mapping/map-messages.js'
import { loadNative } from '../src/native/load-native.js'

const data = workerData as MapServiceData
const { runMapWorker } = await loadNative(data.gate, () => import('../src/mapping/worker/map-worker.js'))
await runMapWorker(parentPort as MessagePort, data)
