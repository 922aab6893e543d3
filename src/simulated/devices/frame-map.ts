import { PAGE_SIZE } from '../../abi.js'
import {
  MAP_FIXED,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  PROT_READ,
  PROT_WRITE,
} from '../../native/libc.js'
import { runsOf } from '../kernel/frame-runs.js'

/**
 * - `shared`: as the driver maps, populated at once.
 * - `private`: the granter's pages as long as nobody writes here. A stray write gets a private copy of its page instead:
 *   a mapping that is really read-only would end the whole process then, because a JavaScript view cannot be read-only.
 *   Not populated: that would copy every page now, and the granter's later writes would not be seen.
 */
export type Access = 'shared' | 'private'

const flagsOf = { shared: MAP_SHARED | MAP_POPULATE, private: MAP_PRIVATE } as const

/**
 * Maps frames of the memory file next to each other, over whatever is mapped at `address`.
 * @throws GrantError, with a part of them mapped
 */
export function mapFrames(address: number, fd: number, frames: Uint32Array, access: Access): void {
  let at = address
  for (const { first, count } of runsOf(frames)) {
    const length = count * PAGE_SIZE
    mmap({
      address: at,
      length,
      prot: PROT_READ | PROT_WRITE,
      flags: flagsOf[access] | MAP_FIXED,
      fd,
      offset: first * PAGE_SIZE,
      what: `mapping ${count} pages of the simulated memory`,
    })
    at += length
  }
}
