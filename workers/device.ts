import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { DeviceWorkerData } from '../src/grants/grant-messages.js'
import { loadNative } from '../src/native/load-native.js'

const data = workerData as DeviceWorkerData
const { runDeviceWorker } = await loadNative(data.gate, () => import('../src/grants/worker/device-worker.js'))
await runDeviceWorker(parentPort as MessagePort, data)
