import type { GrantDevice } from '../../dist/src/drivers/gntalloc/grant-device.js'
import type { MapDevice } from '../../dist/src/drivers/gntdev/map-device.js'

export type AddressedGrants = Omit<GrantDevice, 'mmap'> & { mmap(index: number, count: number): number }
export type AddressedMaps = Omit<MapDevice, 'map' | 'mmap'> & {
  map(names: readonly { domid: number; ref: number }[]): number
  mmap(index: number, count: number, writable: boolean): number
}

export function addressed<D extends GrantDevice | MapDevice>(
  device: D,
): D extends GrantDevice ? AddressedGrants : AddressedMaps
export function bytesAt(address: number, length: number): Uint8Array<SharedArrayBuffer>
