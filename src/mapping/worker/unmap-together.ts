import type { MapDevice } from '../../drivers/gntdev/map-device.js'
import type { Mapping } from './mapping.js'

/**
 * Unmaps what lies side by side in one call: each takes a change of the address space and interrupts the processors that other
 * threads run on. What it cannot unmap is left as it is, for each mapping to be tried, and to fail, by itself.
 */
export function unmapTogether(device: MapDevice, mappings: readonly Mapping[]): void {
  const sorted = mappings
    .filter((mapping) => mapping.whole)
    .toSorted((one, other) => one.memory.address - other.memory.address)
  let from = 0
  for (let i = 1; i <= sorted.length; i++) {
    const { memory, byteLength } = sorted[i - 1]!
    if (i < sorted.length && sorted[i]!.memory.address === memory.address + byteLength) continue
    if (i - from > 1) unmapRun(device, sorted.slice(from, i))
    from = i
  }
}

function unmapRun(device: MapDevice, run: readonly Mapping[]): void {
  const length = run.reduce((sum, { byteLength }) => sum + byteLength, 0)
  try {
    device.munmap(run[0]!.memory.address, length)
  } catch {
    return
  }
  for (const mapping of run) mapping.unmapped()
}
