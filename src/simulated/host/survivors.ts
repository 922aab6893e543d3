import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers'
import { PAGE_SIZE } from '../../abi.js'
import type { Kernel } from '../kernel/kernel.js'
import type { Session } from '../kernel/session.js'
import { type MemoryUse, memoryFiles } from '../wire/protocol.js'

/** How often it is looked whether something is still mapped, in milliseconds. */
const LOOK_AGAIN = 5

/**
 * Sessions whose thread has ended while its process lives on. What the thread had mapped may be mapped still, over memory
 * that other threads refer to; as in the real system the pages are not free until it is not. Only the process itself
 * knows, so Linux is asked.
 */
export class Survivors {
  readonly #kernel: Kernel
  readonly #path: string
  readonly #released: () => void
  readonly #sessions = new Set<Session>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param path the directory of the simulated Xen
   * @param released is called when pages have come free
   */
  constructor(kernel: Kernel, path: string, released: () => void) {
    this.#kernel = kernel
    this.#path = path
    this.#released = released
  }

  /** The connection of a session is closed. A dying process has unmapped everything by then. */
  connectionClosed(session: Session): void {
    if (!this.#stillMaps(session)) {
      this.#kernel.endSession(session)
      return
    }
    this.#kernel.closeFiles(session)
    this.#sessions.add(session)
    this.#lookLater()
  }

  #lookLater(): void {
    if (this.#sessions.size === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      for (const session of this.#sessions) {
        if (this.#stillMaps(session)) continue
        this.#sessions.delete(session)
        this.#kernel.endSession(session)
        this.#released()
      }
      this.#lookLater()
    }, LOOK_AGAIN)
  }

  #stillMaps(session: Session): boolean {
    const uses = Object.entries(session.mappedFrames()).filter(([, frames]) => frames.size > 0)
    if (session.process === undefined || uses.length === 0) return false
    let maps: string
    try {
      maps = readFileSync(`/proc/${session.process}/maps`, 'latin1')
    } catch {
      // No such process any more, or not one of ours.
      return false
    }
    const lines = maps.split('\n')
    return uses.some(([use, frames]) => {
      const memory = join(this.#path, memoryFiles[use as MemoryUse])
      return lines.some((line) => line.endsWith(memory) && mapsOne(line, frames))
    })
  }
}

/** @param line of /proc/…/maps: `from-to flags offset device inode path` */
function mapsOne(line: string, frames: ReadonlySet<number>): boolean {
  const [, from, to, offset] = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) /.exec(line) ?? []
  if (from === undefined || to === undefined || offset === undefined) return false
  const first = Number.parseInt(offset, 16) / PAGE_SIZE
  const count = (Number.parseInt(to, 16) - Number.parseInt(from, 16)) / PAGE_SIZE
  for (const frame of frames) if (frame >= first && frame < first + count) return true
  return false
}
