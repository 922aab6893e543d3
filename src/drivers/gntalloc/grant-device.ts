import type { PageBuffer } from '../page-buffer.js'

/** One successful ALLOC: a run of pages, each with its grant reference. */
export interface Allocation {
  /** Byte offset of the first page in the device file: what mmap, deallocate and setUnmapNotify take. 0 is valid. */
  index: number
  /** One grant reference per page. Never 0. */
  refs: Uint32Array
}

/** What the system says of its own capacity. A value that cannot be read is undefined, never guessed. */
export interface DeviceLimits {
  /** Pages that all processes of this domain together may have allocated. */
  limit?: number | undefined
  /** Entries of this domain's grant table, shared with its PV disks and network. */
  tableCapacity?: number | undefined
  /** Deferred pages the kernel looks at per second. 0 means without limit. */
  freePerIteration?: number | undefined
}

/**
 * One open file of the grant device and the memory mapped through it. The real driver and the simulated Xen implement
 * it; nothing above knows which one it has.
 *
 * All calls are synchronous and may block: only the device worker makes them. A failed call throws a GrantError with
 * the errno and has no effect beyond what the driver's own failure has (gntalloc: a late ENOSPC consumes its index).
 * Arguments have been checked by the caller; an implementation adds only what memory safety needs.
 */
export interface GrantDevice {
  readonly path: string

  /**
   * ALLOC_GREF: all pages or none, zeroed. `count` 0 changes nothing and returns the index the next allocation gets.
   * @throws GrantError ENOSPC, ENOMEM
   */
  allocate(domid: number, flags: number, count: number): Allocation

  /**
   * DEALLOC_GREF of a run of pages of this file, also a part of an allocation or several adjacent ones. Pages still
   * mapped stay granted until the last mapping goes.
   * @throws GrantError EINVAL when any of the pages is not (or no longer) this file's
   */
  deallocate(index: number, count: number): void

  /**
   * SET_UNMAP_NOTIFY for the page that holds byte `index`. Action 0 disarms; anything else replaces.
   * @throws GrantError ENOENT (page unknown), EINVAL (action or port), in that order
   */
  setUnmapNotify(index: number, action: number, port: number): void

  /**
   * Maps a run of pages that lies within one allocation over a buffer of that many pages, readable and writable, shared.
   * Mapping across two allocations corrupts the driver's books (docs/driver.md), so the caller must never ask for it.
   * @throws GrantError ENOENT (no such run), ENOMEM
   */
  mmap(index: number, count: number, over: PageBuffer): void

  /**
   * Unmaps `length` bytes at `address`: whole pages of mappings of this device, of one or of several side by side. Private
   * zero pages take their place, so that stale views read zeros and write into nothing.
   * @throws GrantError ENOMEM, with nothing changed
   */
  munmap(address: number, length: number): void

  limits(): DeviceLimits

  /**
   * Whether Xen knows the domain. One that is gone maps nothing any more, whatever it said last.
   * @returns undefined when this process may not ask
   */
  domainExists(domid: number): boolean | undefined

  /** Closes the file and frees its pages: at once if none of it is mapped, all of them with the last mapping otherwise. */
  close(): void
}

export interface DeviceModule {
  openDevice(options: unknown): GrantDevice | Promise<GrantDevice>
}

/** An object that stands for a device (a SimulatedXen) carries its descriptor under this key. */
export const deviceDescriptor: unique symbol = Symbol.for('xen-grants.device-descriptor')
