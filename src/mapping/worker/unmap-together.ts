import type { MapDevice } from '../../drivers/gntdev/map-device.js'
import { sideBySide } from '../../runs.js'
import type { Mapping } from './mapping.js'

/**
 * Unmaps what lies side by side in one call: each takes a change of the address space and interrupts the processors that other
 * threads run on. What it cannot unmap is left as it is, for each mapping to be tried, and to fail, by itself.
 */
export function unmapTogether(device: MapDevice, mappings: readonly Mapping[]): void {
  const whole = mappings.filter((mapping) => mapping.whole)
  const neighbours = sideBySide(
    whole,
    ({ memory }) => memory.address,
    ({ byteLength }) => byteLength,
  )
  for (const run of neighbours) if (run.length > 1) unmapRun(device, run)
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
