import { parentPort, workerData } from 'node:worker_threads'
import { type HostOptions, startHost } from '../src/simulated/host.js'

/** The thread of one SimulatedXen: says so once programs can connect, then serves until it is terminated. */
await startHost(workerData as HostOptions)
parentPort?.postMessage('ready')
