import type { GrantError } from '../../errors.js'
import type { DeviceDescriptor } from '../descriptor.js'

/**
 * An open file of the kernel's way to xenstored (/dev/xen/xenbus), in a worker: writing a WATCH or an UNWATCH there waits
 * inside the kernel until xenstored has answered.
 */
export interface StoreDevice {
  readonly path: string

  /** From now on tells what can be read, and what could before. Once. */
  start(listener: StoreDeviceListener): void

  /**
   * One whole request in one write(): the kernel carries out the first request of a write and drops the rest.
   * @throws GrantError when the kernel refuses it, which for WATCH is how xenstored's own refusal arrives: no reply comes
   */
  write(request: Uint8Array): void

  /** Drops the watches and transactions of this file. */
  close(): void
}

export interface StoreDeviceListener {
  /** Any part of the stream of messages, to be used before this returns. Must not throw. */
  read(bytes: Uint8Array): void

  /** Nothing will come any more. */
  failed(error: GrantError): void
}

export interface StoreDeviceModule {
  openStoreDevice(options: unknown): StoreDevice | Promise<StoreDevice>
}

/** How a xenstore is reached: through the Unix socket of a xenstored, or through a StoreDeviceModule's device. */
export type StoreDescriptor = { readonly socket: string } | DeviceDescriptor

/** An object that stands for a domain (a SimulatedXen, or one of its domains) carries its StoreDescriptor under this key. */
export const storeDescriptor: unique symbol = Symbol.for('xen-grants.store-descriptor')
