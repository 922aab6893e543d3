import { invalidArgType } from '../arguments.js'
import type { DeviceKind } from './catalogue.js'
import type { DeviceDescriptor } from './descriptor.js'

/**
 * @param device the option `device` of an open() call: a path, or an object that stands for a device
 * @returns how the device worker opens what was asked for
 * @throws TypeError
 */
export function resolveDevice(device: unknown, kind: DeviceKind): DeviceDescriptor {
  const path = device ?? kind.path
  if (typeof path === 'string') {
    if (path === '' || path.includes('\0')) throw invalidArgType('options.device', 'a path', path)
    return { module: kind.implementation, options: { path }, path, simulated: false }
  }
  const descriptor = (path as Record<symbol, DeviceDescriptor | undefined>)[kind.descriptor]
  if (!descriptor)
    throw invalidArgType('options.device', 'a path, a SimulatedXen or one of its domains', device)
  return descriptor
}
