import type { Buffer } from 'node:buffer'
import { constants } from 'node:os'
import { systemCallError } from '../../errors.js'
import type { Domains } from './domains.js'
import type { MachineStore } from './machine-store.js'
import type { Handles, Session } from './session.js'
import { XenbusDriver } from './xenbus.js'
import { XenbusFile } from './xenbus-file.js'

const { EBADF, ENXIO } = constants.errno

/** The calls of programs with the xenstore device. Each throws EBADF for a handle the session does not have. */
export class XenbusCalls {
  readonly #domains: Domains
  readonly #store: MachineStore
  readonly #sessions: Iterable<Session>
  readonly #handles: Handles
  readonly #drivers = new Map<number, XenbusDriver>()

  /** @param sessions all that there are */
  constructor(domains: Domains, store: MachineStore, sessions: Iterable<Session>, handles: Handles) {
    this.#domains = domains
    this.#store = store
    this.#sessions = sessions
    this.#handles = handles
  }

  /** @throws GrantError ESRCH. ENXIO: there is no xenstored yet */
  open(session: Session, domid: number): number {
    const what = `opening the xenstore device of domain ${domid}`
    this.#domains.running(domid, what)
    const { daemon } = this.#store
    if (daemon === undefined) throw systemCallError(ENXIO, 'open', what, { domid })
    const driver = this.#drivers.get(domid) ?? new XenbusDriver(daemon, domid)
    this.#drivers.set(domid, driver)
    return this.#handles.enter(session.files, driver.open())
  }

  /** A file of whatever session, for another half of the same program. */
  join(session: Session, handle: number): void {
    for (const { files } of this.#sessions) {
      const file = files.get(handle)
      if (!(file instanceof XenbusFile)) continue
      session.joined.set(handle, file)
      return
    }
    throw systemCallError(EBADF, 'open', `joining file ${handle}, which is not open`)
  }

  /** See {@link XenbusDriver.write}. */
  write(session: Session, handle: number, bytes: Uint8Array): void {
    const file = session.xenbusFile(handle)
    this.#driverOf(file).write(file, bytes)
  }

  read(session: Session, handle: number): Buffer {
    return session.xenbusFile(handle).read()
  }

  /** Calls `wake` when there is something to read. */
  wait(session: Session, handle: number, wake: () => void): void {
    session.xenbusFile(handle).wait(wake)
  }

  /** For a session that has joined the file: it only lets go of it. */
  close(session: Session, handle: number): void {
    if (session.joined.delete(handle)) return
    this.release(session.xenbusFile(handle))
    session.files.delete(handle)
  }

  /** A file has lost its last descriptor. */
  release(file: XenbusFile): void {
    this.#driverOf(file).close(file)
  }

  #driverOf({ domid }: XenbusFile): XenbusDriver {
    return this.#drivers.get(domid)!
  }
}
