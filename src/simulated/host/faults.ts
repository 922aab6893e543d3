import { systemCallError } from '../../errors.js'

const SYSTEM_CALLS: Record<string, string> = {
  open: 'open',
  openMap: 'open',
  openEvents: 'open',
  mmap: 'mmap',
  mmapGrants: 'mmap',
  map: 'mmap',
  munmap: 'munmap',
  unmap: 'munmap',
  readEvents: 'read',
  unmaskEvents: 'write',
}

/** Failures ordered by a test, per call and in order. */
export class Faults {
  readonly #errnos = new Map<string, number[]>()

  add(call: string, errno: number): void {
    const waiting = this.#errnos.get(call)
    if (waiting) waiting.push(errno)
    else this.#errnos.set(call, [errno])
  }

  /** @throws GrantError if the next one of these calls is to fail */
  check(call: string): void {
    const errno = this.#errnos.get(call)?.shift()
    if (errno !== undefined) throw systemCallError(errno, systemCallOf(call), `${call}, failing as ordered`)
  }
}

/** What the real call would have been, for the error. */
function systemCallOf(call: string): string {
  return SYSTEM_CALLS[call] ?? 'ioctl'
}
