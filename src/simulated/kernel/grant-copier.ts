import { constants } from 'node:os'
import {
  DOMID_FIRST_RESERVED,
  GNTCOPY_DEST_GREF,
  GNTCOPY_SOURCE_GREF,
  GNTST_BAD_DOMAIN,
  GNTST_BAD_GNTREF,
  GNTST_GENERAL_ERROR,
  GNTST_OKAY,
  PAGE_SIZE,
} from '../../abi.js'
import { systemCallError } from '../../errors.js'
import { type CopyPiece, type GrantSide, isGrant } from '../wire/copy-message.js'
import type { PageMemory } from './frames.js'
import type { GrantEntry, TableDirectory } from './grant-table.js'

/**
 * Grant copy: the driver's checks, over all pieces before the first is copied, then Xen's, piece by piece. The bytes of
 * local sources come with the pieces, those for local targets go back in them.
 */
export class GrantCopier {
  readonly #granters: TableDirectory
  readonly #memory: PageMemory

  constructor(granters: TableDirectory, memory: PageMemory) {
    this.#granters = granters
    this.#memory = memory
  }

  /** @param domid who copies. @returns a GNTST_ status for each. @throws GrantError EINVAL */
  copy(domid: number, pieces: readonly CopyPiece[]): number[] {
    for (const piece of pieces) check(piece)
    return pieces.map((piece) => this.#copy(domid, piece))
  }

  #copy(domid: number, { flags, source, target, bytes }: CopyPiece): number {
    const from = isGrant(flags, GNTCOPY_SOURCE_GREF) ? this.#claim(domid, source, false) : undefined
    const to = isGrant(flags, GNTCOPY_DEST_GREF) ? this.#claim(domid, target, true) : undefined
    // Both domains are looked up before either grant.
    for (const claim of [from, to]) if (claim === GNTST_BAD_DOMAIN) return claim
    for (const claim of [from, to]) if (typeof claim === 'number') return claim
    if (typeof from === 'object') bytes.set(this.#memory.read(from.frame, source.offset, bytes.length))
    if (typeof to === 'object') this.#memory.write(to.frame, target.offset, bytes)
    return GNTST_OKAY
  }

  /** @returns the entry or why not, as Xen puts it: what is not granted to this domain is no more than a general error */
  #claim(domid: number, { domid: granter, ref }: GrantSide, writable: boolean): GrantEntry | number {
    const table = granter < DOMID_FIRST_RESERVED ? this.#granters.tableOf(granter) : undefined
    if (table === undefined) return GNTST_BAD_DOMAIN
    if (ref >= table.capacity) return GNTST_BAD_GNTREF
    return table.lookup(ref, domid, writable) ?? GNTST_GENERAL_ERROR
  }
}

function check({ flags, source, target, bytes }: CopyPiece): void {
  const fail = (why: string) => systemCallError(constants.errno.EINVAL, 'ioctl', `copying: ${why}`)
  const fromGrant = isGrant(flags, GNTCOPY_SOURCE_GREF)
  const toGrant = isGrant(flags, GNTCOPY_DEST_GREF)
  if (!fromGrant && !toGrant) throw fail('neither side of a segment is a grant')
  const end = Math.max(fromGrant ? source.offset : 0, toGrant ? target.offset : 0) + bytes.length
  if (end > PAGE_SIZE) throw fail(`a segment ends at byte ${end} of a page of ${PAGE_SIZE}`)
}
