import type { GrantError } from '../errors.js'
import type { PageBuffer } from './page-buffer.js'

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

/** A place in a granted page, or in memory of this process that nobody can take away while it is referenced. */
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
   * @returns the index, a byte offset in the device file. 0 is valid; an index is used again after its `unmap`
   * @throws GrantError EINVAL (none, or above the driver's limit per call), ENOMEM
   */
  map(names: readonly GrantName[]): number

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
   * UNMAP_GRANT_REF: forgets a map. Its event is sent, and the granter's page is surely let go, when the map is forgotten
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

/**
 * One open file of the event channel device (evtchn) has two halves, in two threads. This one is the worker's: binding and
 * unbinding set up and tear down interrupts, which may sleep in the kernel. Synchronous.
 */
export interface EventDevice {
  readonly path: string

  /** A new port to which only domain `domid` can bind. @returns the local port. @throws GrantError EACCES, ENOSPC */
  bindUnbound(domid: number): number

  /**
   * A new port connected to one that `domid` has bound for this domain. It fires once without cause.
   * @returns the local port
   * @throws GrantError EACCES (restricted), ESRCH (no such domain), EINVAL (no such port, or not for us), ENOSPC
   */
  bindInterdomain(domid: number, remotePort: number): number

  /** @returns the local port. @throws GrantError EACCES, EINVAL, EEXIST, ENOSPC */
  bindVirq(virq: number): number

  /** @throws GrantError EINVAL (above the maximum), ENOTCONN (not bound here) */
  unbind(port: number): void

  /** From now on only `bindInterdomain` to `domid` is allowed. One way. @throws GrantError EACCES (again), EINVAL (0, reserved) */
  restrict(domid: number): void

  /** Lets go of the file, which is the line's: it stays open, and its ports bound. */
  close(): void
}

/**
 * The other half, which owns the file: the hot path, in the thread of those who notify and listen, since a hop between
 * threads costs more than the rest of a round trip. Nothing here waits for a peer: the file does not block, a
 * notification is a hypercall. (The driver has one lock per file, so it may wait for a binding that the worker is in the
 * middle of.) What fails later is told to the listener, and never before the call has returned.
 */
export interface EventLine {
  readonly path: string

  /** What `joinEventDevice` gets in the worker: plain data, of use until `close`. */
  readonly file: unknown

  /**
   * From now on tells what fires, and what has fired before. Once. Does not keep the thread alive, see `ref`.
   * @throws GrantError EMFILE
   */
  start(listener: EventListener): void

  /** Succeeds also when nobody is at the other end (any more). Fails with ENOTCONN. */
  notify(port: number): void

  /** Lets ports fire again. Those that are not this file's, or not masked, are ignored. */
  unmask(ports: readonly number[]): void

  /** After EFBIG. What had not been read is lost and its ports stay masked: unmask all that are bound. */
  reset(): void

  /** From now on this keeps the thread alive, until `unref`. */
  ref(): void
  unref(): void

  /**
   * Unbinds all ports and closes the file; the worker's half must not be used any more. A port that an unmap notification
   * refers to survives until that fires. The end of the thread does the same.
   */
  close(): Promise<void>
}

export interface EventListener {
  /**
   * Each port is masked until `unmask`, and what it gets meanwhile comes as one event after that. May name a port that has
   * been unbound. Must not throw.
   */
  fired(ports: readonly number[]): void

  /**
   * @param ports of `notify` and `unmask`
   * @param error of `read`: EFBIG when the driver's ring has overflowed, and nothing more fires until `reset`
   */
  failed(call: 'notify' | 'unmask' | 'read' | 'reset', error: GrantError, ports: readonly number[]): void
}

export interface MapDeviceModule {
  openMapDevice(options: unknown): MapDevice | Promise<MapDevice>
}

export interface EventDeviceModule {
  /** Opens the device, in the thread that is going to notify and listen. */
  openEventLine(options: unknown): EventLine | Promise<EventLine>
  /** @param file that of the line */
  joinEventDevice(file: unknown): EventDevice | Promise<EventDevice>
}

/** The same as {@link deviceDescriptor} for the mapping device of an object that stands for one: a MapDeviceModule's. */
export const mapDescriptor: unique symbol = Symbol.for('xen-grants.map-descriptor')

/** And for its event channels: an EventDeviceModule's, with the options of `openEventLine`. */
export const eventDescriptor: unique symbol = Symbol.for('xen-grants.event-descriptor')
