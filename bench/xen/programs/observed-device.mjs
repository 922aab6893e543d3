// The grant devices of Linux, which also count what their thread spends on collecting garbage.
import { PerformanceObserver } from 'node:perf_hooks'

/** Of the package, by which a stand-in for a device is recognised. */
const keys = {
  grants: Symbol.for('xen-grants.device-descriptor'),
  maps: Symbol.for('xen-grants.map-descriptor'),
}

/** @param collecting nanoseconds, as a Float64 */
function observe(collecting) {
  const total = new Float64Array(collecting)
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) total[0] += duration * 1e6
  })
  observer.observe({ entryTypes: ['gc'] })
}

export async function openDevice({ collecting, path }) {
  observe(collecting)
  const { openDevice } = await import('../../../dist/src/drivers/gntalloc/linux-gntalloc.js')
  return openDevice({ path })
}

export async function openMapDevice({ collecting, path }) {
  observe(collecting)
  const { openMapDevice } = await import('../../../dist/src/drivers/gntdev/linux-gntdev.js')
  return openMapDevice({ path })
}

function observed(key, collecting, path) {
  return { [key]: { module: import.meta.url, options: { collecting, path }, path, simulated: false } }
}

/** For `GrantServer.open`. */
export function observedGrants(collecting) {
  return observed(keys.grants, collecting, '/dev/xen/gntalloc')
}

/** For `GrantMapper.open`. */
export function observedMaps(collecting) {
  return observed(keys.maps, collecting, '/dev/xen/gntdev')
}
