import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { throughGate } from '../src/memory/native-gate.js'
import type { DeviceWorkerData } from '../src/protocol/messages.js'

const data = workerData as DeviceWorkerData
const { runDeviceWorker } = await throughGate(data.gate, () => import('../src/actor/device-worker.js'))
await runDeviceWorker(parentPort as MessagePort, data)
