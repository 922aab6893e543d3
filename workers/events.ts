import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/device/load-native.js'
import type { EventServiceData } from '../src/protocol/messages.js'

const data = workerData as EventServiceData
const { runEventWorker } = await loadNative(data.gate, () => import('../src/events/event-worker.js'))
await runEventWorker(parentPort as MessagePort, data)
