import type { GrantError } from '../../errors.js'

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

  /** Stops using the file, which belongs to the line: it stays open, and its ports bound. */
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

  /** Succeeds also when there is no other end (any more). Fails with ENOTCONN. */
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

export interface EventDeviceModule {
  /** Opens the device, in the thread that is going to notify and listen. */
  openEventLine(options: unknown): EventLine | Promise<EventLine>
  /** @param file that of the line */
  joinEventDevice(file: unknown): EventDevice | Promise<EventDevice>
}

/** And for its event channels: an EventDeviceModule's, with the options of `openEventLine`. */
export const eventDescriptor: unique symbol = Symbol.for('xen-grants.event-descriptor')
