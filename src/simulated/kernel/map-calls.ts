import { decodeCopy, encodeCopied } from '../wire/copy-message.js'
import type { GrantMapDriver } from './gntdev.js'
import type { GrantCopier } from './grant-copier.js'
import type { Handles, Mapped, Session } from './session.js'

/** The calls of programs that map the grants of others. Each throws EBADF for a handle the session does not have. */
export class MapCalls {
  readonly #driver: GrantMapDriver
  readonly #copier: GrantCopier
  readonly #handles: Handles

  constructor(driver: GrantMapDriver, copier: GrantCopier, handles: Handles) {
    this.#driver = driver
    this.#copier = copier
    this.#handles = handles
  }

  open(session: Session, domid: number): number {
    return this.#handles.enter(session.files, this.#driver.open(domid))
  }

  /** @throws GrantError EINVAL */
  map(session: Session, file: number, pairs: Uint32Array): number {
    return this.#driver.map(session.mapFile(file), pairs)
  }

  /** @returns the frames to map, one per page. @throws GrantError EINVAL */
  mmap(session: Session, handle: number, index: number, count: number, writable: boolean): Mapped {
    const file = session.mapFile(handle)
    const mapping = this.#driver.mmap(file, index, count, writable)
    const letGo = () => this.#driver.munmap(file, mapping)
    const frames = Uint32Array.from(mapping.map.entries!, ({ frame }) => frame)
    const opened = { pages: mapping.pages, foreign: true, frames, letGo }
    return { mapping: this.#handles.enter(session.mappings, opened), frames }
  }

  /** @throws GrantError ENOENT */
  unmap(session: Session, file: number, index: number, count: number): void {
    this.#driver.unmap(session.mapFile(file), index, count)
  }

  /** @throws GrantError EINVAL, ENOENT */
  setUnmapNotify(session: Session, file: number, index: number, action: number, port: number): void {
    this.#driver.setUnmapNotify(session.mapFile(file), index, action, port)
  }

  /** @param numbers see copy-message.ts, as for the result. @throws GrantError EINVAL, ERR_GRANTS_PROTOCOL */
  copy(session: Session, file: number, numbers: Uint32Array): Uint32Array {
    const pieces = decodeCopy(numbers)
    return encodeCopied(pieces, this.#copier.copy(session.mapFile(file).domid, pieces))
  }
}
