import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { loadNative } from '../src/device/load-native.js'
import type { DeviceWorkerData } from '../src/protocol/messages.js'

const data = workerData as DeviceWorkerData
const { runDeviceWorker } = await loadNative(data.gate, () => import('../src/actor/device-worker.js'))
await runDeviceWorker(parentPort as MessagePort, data)
