import { decodeCopy, encodeCopied } from '../wire/copy-message.js'
import type { Domains } from './domains.js'
import type { GntdevDriver } from './gntdev.js'
import type { GrantCopier } from './grant-copier.js'
import type { MapFile } from './map-file.js'
import type { Handles, Mapped, Session } from './session.js'

/** The calls of programs that map the grants of others. Each throws EBADF for a handle the session does not have. */
export class GntdevCalls {
  readonly #domains: Domains
  readonly #copier: GrantCopier
  readonly #handles: Handles

  constructor(domains: Domains, copier: GrantCopier, handles: Handles) {
    this.#domains = domains
    this.#copier = copier
    this.#handles = handles
  }

  /** @throws GrantError ESRCH */
  open(session: Session, domid: number): number {
    const domain = this.#domains.running(domid, `opening the mapping device of domain ${domid}`)
    return this.#handles.enter(session.files, domain.gntdev.open())
  }

  /** @throws GrantError EINVAL */
  map(session: Session, handle: number, pairs: Uint32Array): number {
    const file = session.mapFile(handle)
    return this.#driverOf(file).map(file, pairs)
  }

  /** @returns the frames to map, one per page. @throws GrantError EINVAL */
  mmap(session: Session, handle: number, index: number, count: number, writable: boolean): Mapped {
    const file = session.mapFile(handle)
    const driver = this.#driverOf(file)
    const mapping = driver.mmap(file, index, count, writable)
    const frames = Uint32Array.from(mapping.map.entries!, ({ frame }) => frame)
    const opened = { pages: mapping.pages, file, frames, letGo: () => driver.munmap(file, mapping) }
    return { mapping: this.#handles.enter(session.mappings, opened), frames }
  }

  /** Unmaps `count` pages from page `first` of a mapping. @throws GrantError EINVAL */
  munmap(session: Session, mapping: number, first: number, count: number): void {
    session.munmap(mapping, first, count)
  }

  /** @throws GrantError ENOENT */
  unmap(session: Session, handle: number, index: number, count: number): void {
    const file = session.mapFile(handle)
    this.#driverOf(file).unmap(file, index, count)
  }

  /** @throws GrantError EINVAL, ENOENT */
  setUnmapNotify(session: Session, handle: number, index: number, action: number, port: number): void {
    const file = session.mapFile(handle)
    this.#driverOf(file).setUnmapNotify(file, index, action, port)
  }

  /** @param numbers see copy-message.ts, as for the result. @throws GrantError EINVAL, ERR_GRANTS_PROTOCOL */
  copy(session: Session, handle: number, numbers: Uint32Array): Uint32Array {
    const { domid } = session.mapFile(handle)
    const pieces = decodeCopy(numbers)
    return encodeCopied(pieces, this.#copier.copy(domid, pieces))
  }

  /** Mappings keep their pages. */
  close(session: Session, handle: number): void {
    this.release(session.mapFile(handle))
    session.files.delete(handle)
  }

  /** A file has lost its last descriptor. */
  release(file: MapFile): void {
    this.#driverOf(file).close(file)
  }

  #driverOf({ domid }: MapFile): GntdevDriver {
    return this.#domains.get(domid).gntdev
  }
}
