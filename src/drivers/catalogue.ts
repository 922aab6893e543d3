import { ownFile } from '../native/own-file.js'
import { eventDescriptor } from './evtchn/event-device.js'
import { deviceDescriptor } from './gntalloc/grant-device.js'
import { mapDescriptor } from './gntdev/map-device.js'
import { storeDescriptor } from './xenbus/store-device.js'

/** One of Xen's devices: everything about it but its calls, said once. */
export interface DeviceKind {
  /** Where it is, unless it has been moved. */
  readonly path: string
  /** The kernel module behind it; none when it is part of every kernel that runs on Xen. */
  readonly kernelModule: string | undefined
  /** What it is called in messages. */
  readonly label: string
  /** URL of the module that implements it on Linux: plain data until a worker imports it. */
  readonly implementation: string
  /** An object that stands for such a device (a SimulatedXen) carries its descriptor (`DeviceDescriptor`) under this key. */
  readonly descriptor: symbol
}

export const gntalloc: DeviceKind = {
  path: '/dev/xen/gntalloc',
  kernelModule: 'xen-gntalloc',
  label: 'the grant device',
  implementation: here('./gntalloc/linux-gntalloc.js'),
  descriptor: deviceDescriptor,
}

export const gntdev: DeviceKind = {
  path: '/dev/xen/gntdev',
  kernelModule: 'xen-gntdev',
  label: 'the mapping device',
  implementation: here('./gntdev/linux-gntdev.js'),
  descriptor: mapDescriptor,
}

export const evtchn: DeviceKind = {
  path: '/dev/xen/evtchn',
  kernelModule: 'xen-evtchn',
  label: 'the event channel device',
  implementation: here('./evtchn/linux-evtchn.js'),
  descriptor: eventDescriptor,
}

export const xenbus: DeviceKind = {
  path: '/dev/xen/xenbus',
  kernelModule: undefined,
  label: 'the xenstore device',
  implementation: here('./xenbus/linux-xenbus.js'),
  descriptor: storeDescriptor,
}

/** A line for /etc/udev/rules.d that lets the group `xen` use the device. */
export function udevRule({ path }: DeviceKind): string {
  return `KERNEL=="${nameOf(path)}", GROUP="xen", MODE="0660"`
}

/** Where such a line belongs. */
export function udevFile({ path }: DeviceKind): string {
  return `/etc/udev/rules.d/60-${nameOf(path).replace('/', '-')}.rules`
}

function nameOf(path: string): string {
  return path.slice('/dev/'.length)
}

function here(module: string): string {
  return ownFile(module, import.meta.url).href
}
