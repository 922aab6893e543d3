// The grant device of Linux, which also counts what its thread spends on collecting garbage.
import { PerformanceObserver } from 'node:perf_hooks'
import { openDevice as openLinuxDevice } from '../../../dist/src/drivers/gntalloc/linux-gntalloc.js'

const descriptor = Symbol.for('xen-grants.device-descriptor')

/** @param {{ collecting: SharedArrayBuffer }} options nanoseconds, as a Float64 */
export function openDevice({ collecting }) {
  const total = new Float64Array(collecting)
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) total[0] += duration * 1e6
  })
  observer.observe({ entryTypes: ['gc'] })
  return openLinuxDevice({ path: '/dev/xen/gntalloc' })
}

/** For `GrantServer.open`. */
export function observedDevice(collecting) {
  const path = '/dev/xen/gntalloc'
  return { [descriptor]: { module: import.meta.url, options: { collecting }, path, simulated: false } }
}
