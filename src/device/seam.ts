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
   * Maps a run of pages that lies within one allocation, readable and writable, shared. Mapping across two
   * allocations corrupts the driver's books (docs/driver.md), so the caller must never ask for it.
   * @returns the address, a positive safe integer
   * @throws GrantError ENOENT (no such run), ENOMEM
   */
  mmap(index: number, count: number): number

  /** Unmaps `length` bytes at `address`, whole pages of a mapping of this device. */
  munmap(address: number, length: number): void

  /**
   * Puts private zero pages in the place of a mapping (MAP_FIXED): the device's pages are let go at once, while stale
   * views read zeros and write into nothing. The range is then plain memory, no business of the device's.
   */
  replaceMapping(address: number, length: number): void

  limits(): DeviceLimits

  /** Closes the file. Pages without mappings are freed at once, the others with their last mapping. */
  close(): void
}

/**
 * How the device worker gets its device: plain data that crosses threads. `module` is the URL of a module that exports
 * `openDevice(options): GrantDevice | Promise<GrantDevice>`.
 */
export interface DeviceDescriptor {
  module: string
  /** Given to `openDevice` as it is; structured-cloneable. */
  options: unknown
  /** What to call the device in messages. */
  path: string
  /** True when no real Xen is behind it. */
  simulated: boolean
}

export interface DeviceModule {
  openDevice(options: unknown): GrantDevice | Promise<GrantDevice>
}

/** An object that stands for a device (a SimulatedXen) carries its descriptor under this key. */
export const deviceDescriptor: unique symbol = Symbol.for('xen-grants.device-descriptor')

/** One grant of some domain, as a mapper names it. */
export interface GrantName {
  domid: number
  ref: number
}

/** One piece of a grant copy. Exactly one or both sides are grants; a local side is an address in this process. */
export interface CopySegment {
  source: { domid: number; ref: number; offset: number } | { address: number }
  target: { domid: number; ref: number; offset: number } | { address: number }
  /** Bytes, 1 to 4096; a grant side must not cross its page. */
  length: number
}

/** One open file of the mapping device (gntdev). Placeholder until merged. */
export interface MapDevice {
  readonly path: string
  map(names: readonly GrantName[]): number
  mmap(index: number, count: number, writable: boolean): number
  munmap(address: number, length: number): void
  replaceMapping(address: number, length: number): void
  unmap(index: number, count: number): void
  setUnmapNotify(index: number, action: number, port: number): void
  copy(segments: readonly CopySegment[]): Int16Array
  limit(): number | undefined
  close(): void
}

export interface EventDevice {
  readonly path: string
  bindUnbound(domid: number): number
  bindInterdomain(domid: number, remotePort: number): number
  bindVirq(virq: number): number
  unbind(port: number): void
  notify(port: number): void
  restrict(domid: number): void
  read(): number[]
  unmask(ports: readonly number[]): void
  reset(): void
  onPending(callback: () => void): void
  close(): void
}

export interface MapDeviceModule {
  openMapDevice(options: unknown): MapDevice | Promise<MapDevice>
}

export interface EventDeviceModule {
  openEventDevice(options: unknown): EventDevice | Promise<EventDevice>
}

export const mapDescriptor: unique symbol = Symbol.for('xen-grants.map-descriptor')
export const eventDescriptor: unique symbol = Symbol.for('xen-grants.event-descriptor')
