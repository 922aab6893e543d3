// Sends back whatever comes: what any conversation with another thread costs.
import { workerData } from 'node:worker_threads'

const { port } = workerData
port.on('message', (message) => port.postMessage(message))
