import type { Allocation, DeviceLimits } from '../../drivers/gntalloc/grant-device.js'
import type { Domains } from './domains.js'
import type { GntallocDriver } from './gntalloc.js'
import type { GrantFile } from './grant-file.js'
import type { Handles, Mapped, Session } from './session.js'

/** The calls of programs that grant pages. Each throws EBADF for a handle the session does not have. */
export class GntallocCalls {
  readonly #domains: Domains
  readonly #handles: Handles
  readonly #freePerIteration: number

  constructor(domains: Domains, handles: Handles, freePerIteration: number) {
    this.#domains = domains
    this.#handles = handles
    this.#freePerIteration = freePerIteration
  }

  /** @throws GrantError ESRCH */
  open(session: Session, domid: number): number {
    const domain = this.#domains.running(domid, `opening the grant device of domain ${domid}`)
    return this.#handles.enter(session.files, domain.gntalloc.open())
  }

  /** @throws GrantError ENOSPC, ENOMEM */
  allocate(session: Session, handle: number, domid: number, flags: number, count: number): Allocation {
    const file = session.grantFile(handle)
    return this.#driverOf(file).allocate(file, domid, flags, count)
  }

  /** @throws GrantError EINVAL */
  deallocate(session: Session, handle: number, index: number, count: number): void {
    const file = session.grantFile(handle)
    this.#driverOf(file).deallocate(file, index, count)
  }

  /** @throws GrantError ENOENT, EINVAL */
  setUnmapNotify(session: Session, handle: number, index: number, action: number, port: number): void {
    const file = session.grantFile(handle)
    this.#driverOf(file).setUnmapNotify(file, index, action, port)
  }

  /** @returns the frames to map, one per page. @throws GrantError EINVAL, ENOENT */
  mmap(session: Session, handle: number, index: number, count: number): Mapped {
    const file = session.grantFile(handle)
    const driver = this.#driverOf(file)
    const mapping = driver.mmap(file, index, count)
    const frames = Uint32Array.from(mapping.grefs, ({ entry }) => entry.frame)
    const opened = { pages: mapping.pages, file, frames, letGo: () => driver.munmap(mapping) }
    return { mapping: this.#handles.enter(session.mappings, opened), frames }
  }

  /** Unmaps `count` pages from page `first` of a mapping. @throws GrantError EINVAL */
  munmap(session: Session, mapping: number, first: number, count: number): void {
    session.munmap(mapping, first, count)
  }

  limits(session: Session, handle: number): DeviceLimits {
    const { limit, capacity } = this.#driverOf(session.grantFile(handle))
    return { limit, tableCapacity: capacity, freePerIteration: this.#freePerIteration }
  }

  /** Mappings keep their pages. */
  close(session: Session, handle: number): void {
    this.release(session.grantFile(handle))
    session.files.delete(handle)
  }

  /** A file has lost its last descriptor. */
  release(file: GrantFile): void {
    this.#driverOf(file).close(file)
  }

  #driverOf({ domid }: GrantFile): GntallocDriver {
    return this.#domains.get(domid).gntalloc
  }
}
