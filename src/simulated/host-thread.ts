import { Worker } from 'node:worker_threads'
import type { HostOptions } from './host.js'

/**
 * Starts the thread of a simulated Xen. It does not keep the process alive.
 * @returns once programs can connect
 */
export function startHostThread(options: HostOptions): Promise<Worker> {
  const worker = new Worker(new URL('../../workers/simulated-xen.js', import.meta.url), {
    workerData: options,
    name: 'simulated-xen',
    // Those of this thread may not be for files: --input-type with --eval, for one.
    execArgv: [],
  })
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('The thread of the simulated Xen ended before it was ready'))
    worker.once('error', reject)
    worker.once('exit', onExit)
    worker.once('message', () => {
      // From here on an error in that thread is a bug, and ends the process like any uncaught one.
      worker.off('error', reject)
      worker.off('exit', onExit)
      worker.unref()
      resolve(worker)
    })
  })
}
