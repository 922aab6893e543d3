import { invalidArgType } from '../arguments.js'
import type { DeviceDescriptor } from '../device/seam.js'

/** What the option `device` of an open() call may be, beside an object that stands for a device. */
export interface DeviceKind {
  /** Where the device is unless told otherwise. */
  path: string
  /** Module of the real driver, in src/device. */
  module: string
  /** Under which key a stand-in carries its descriptor. */
  key: symbol
}

/** @returns how the device worker opens what was asked for @throws TypeError */
export function deviceOf(device: unknown, kind: DeviceKind): DeviceDescriptor {
  const path = device ?? kind.path
  if (typeof path === 'string') {
    if (path === '' || path.includes('\0')) throw invalidArgType('options.device', 'a path', path)
    const module = new URL(`../device/${kind.module}`, import.meta.url).href
    return { module, options: { path }, path, simulated: false }
  }
  const descriptor = (path as Record<symbol, DeviceDescriptor | undefined>)[kind.key]
  if (!descriptor)
    throw invalidArgType('options.device', 'a path, a SimulatedXen or one of its domains', device)
  return descriptor
}
