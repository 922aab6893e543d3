import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { EventServiceData } from '../src/events/event-messages.js'
import { loadNative } from '../src/native/load-native.js'

const data = workerData as EventServiceData
const { runEventWorker } = await loadNative(data.gate, () => import('../src/events/worker/event-worker.js'))
await runEventWorker(parentPort as MessagePort, data)
