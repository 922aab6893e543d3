import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/native/load-native.js'
import type { StoreWorkerData } from '../src/xenstore/store-messages.js'

const data = workerData as StoreWorkerData
const { runStoreWorker } = await import('../src/xenstore/worker/store-worker.js')
await loadNative(data.gate, () => import(data.module))
await runStoreWorker(parentPort as MessagePort, data)
