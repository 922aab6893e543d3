import { Worker } from 'node:worker_threads'
import { closeGate, createGate } from '../native/gate.js'
import { ownFile } from '../native/own-file.js'
import { startError } from '../native/start-error.js'

/** What the entry of such a thread is given beside its own data. */
export interface GateData {
  /** See `src/native/gate.ts`. */
  gate: SharedArrayBuffer
}

/**
 * Starts a thread of the simulated Xen. It does not keep the process alive.
 *
 * @param entry file in `workers/`
 * @param data what it needs, beside {@link GateData}
 * @returns once it has said that it is ready
 */
export function startThread(entry: string, data: object): Promise<Worker> {
  const gate = createGate()
  const file = ownFile(`../../workers/${entry}`, import.meta.url)
  const worker = new Worker(file, {
    workerData: { ...data, gate },
    name: `xen-grants ${entry}`,
    // Those of this thread may not be for files: --input-type with --eval, for one.
    execArgv: [],
  })
  worker.once('exit', () => void closeGate(gate))
  return new Promise((resolve, reject) => {
    const onExit = () => reject(startError(file))
    const onError = (cause: unknown) => reject(startError(file, cause))
    worker.once('error', onError)
    worker.once('exit', onExit)
    worker.once('message', () => {
      // From here on an error in that thread is a bug, and ends the process like any uncaught one.
      worker.off('error', onError)
      worker.off('exit', onExit)
      worker.unref()
      resolve(worker)
    })
  })
}
