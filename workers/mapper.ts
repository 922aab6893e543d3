import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/device/load-native.js'
import type { MapServiceData } from '../src/protocol/messages.js'

const data = workerData as MapServiceData
const { runMapWorker } = await loadNative(data.gate, () => import('../src/mapping/map-worker.js'))
await runMapWorker(parentPort as MessagePort, data)
