import type { PageBuffer } from '../page-buffer.js'

/** A place in a granted page, or in memory of this process that cannot go away while it is referenced. */
export type CopySide =
  | { domid: number; ref: number; offset: number }
  | { buffer: SharedArrayBuffer; offset: number }

/** One piece of a grant copy. One or both sides are grants. */
export interface CopySegment {
  source: CopySide
  target: CopySide
  /** Bytes, 1 to 4096; a grant side must not cross its page. */
  length: number
}

/**
 * One open file of the mapping device (gntdev) and the memory mapped through it. Synchronous, may block: only its worker
 * calls. Arguments have been checked by the caller, as with {@link GrantDevice}.
 */
export interface MapDevice {
  readonly path: string

  /**
   * MAP_GRANT_REF: records grants, at least one. Nothing is checked against Xen before mmap.
   * @param names of each grant the domid and the reference, as in `struct ioctl_gntdev_grant_ref`
   * @returns the index, a byte offset in the device file. 0 is valid; an index is used again after its `unmap`
   * @throws GrantError EINVAL (none, or above the driver's limit per call), ENOMEM
   */
  map(names: Uint32Array): number

  /**
   * Maps the memory of exactly one earlier `map`, all of it or nothing. Once ever: a failed mmap uses the map up too, and
   * what is left to do with it is `unmap`. Without `writable`, a write there ends the process (the simulated Xen keeps it
   * in a private copy of the page instead).
   * @throws GrantError EINVAL for any bad reference, wrong domain, writable of a read-only grant, without saying which
   */
  mmap(index: number, count: number, writable: boolean, over: PageBuffer): void

  /** Unmaps `length` bytes at `address`, whole pages of a mapping of this device, as in {@link GrantDevice}. */
  munmap(address: number, length: number): void

  /**
   * UNMAP_GRANT_REF: forgets a map. Its event is sent, and the granter's page is surely released, when the map is forgotten
   * (by this or by close) *and* its memory is unmapped, in whatever order. The byte is cleared then too; in a
   * paravirtualised domain already when the memory is unmapped.
   * @throws GrantError ENOENT
   */
  unmap(index: number, count: number): void

  /**
   * SET_UNMAP_NOTIFY: one per map, replaces; action 0 disarms. `index` is the map's index plus the offset of a byte in it.
   * CLEAR_BYTE belongs after a writable mmap: mapping with it armed is refused, since the kernel may crash over it.
   * @throws GrantError in driver order: EINVAL action, EINVAL port, ENOENT, EINVAL clear byte on read-only mapping
   */
  setUnmapNotify(index: number, action: number, port: number): void

  /**
   * GRANT_COPY. A local side may cross pages, and be memory of the grant devices itself; the caller has checked that it
   * lies within its buffer.
   * @returns one status per segment: 0 or a negative GNTST_ code
   * @throws GrantError EINVAL for inconsistent segments, EFAULT; segments before the bad one may have been copied
   */
  copy(segments: readonly CopySegment[]): Int16Array

  /** Maps allowed per call (gntdev `limit`), if readable. */
  limit(): number | undefined

  /** Closes the file and forgets its maps. What is mapped stays so, and the driver keeps the file until it is not. */
  close(): void
}

export interface MapDeviceModule {
  openMapDevice(options: unknown): MapDevice | Promise<MapDevice>
}

/** The same as {@link deviceDescriptor} for the mapping device of an object that stands for one: a MapDeviceModule's. */
export const mapDescriptor: unique symbol = Symbol.for('xen-grants.map-descriptor')
