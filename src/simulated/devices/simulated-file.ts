import { constants } from 'node:os'
import process from 'node:process'
import { GrantError, systemCallError } from '../../errors.js'
import { BlockingConnection } from '../wire/blocking-connection.js'
import type { OpenedReply } from '../wire/replies.js'

export type SimulatedKind = 'gntalloc' | 'gntdev' | 'evtchn' | 'xenbus'

/** An open file of a simulated device, with a connection of its own: each call blocks the thread until it is answered. */
export class DeviceFile {
  readonly path: string
  readonly kind: SimulatedKind
  readonly connection: BlockingConnection
  readonly #file: number
  readonly #ioctlDelay: number
  readonly #clock = new Int32Array(new SharedArrayBuffer(4))
  #open = true

  /** @param open asks the host for the file. @throws GrantError ENOENT, ECONNREFUSED, and what `open` throws */
  constructor(path: string, kind: SimulatedKind, open: (connection: BlockingConnection) => OpenedReply) {
    this.path = path
    this.kind = kind
    this.connection = new BlockingConnection(path)
    try {
      this.connection.request('xen.hello', [process.pid])
      const { file, ioctlDelay } = open(this.connection)
      this.#file = file
      this.#ioctlDelay = ioctlDelay
    } catch (error) {
      this.connection.close()
      throw error
    }
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Begins a system call on the file. @returns its number for the host. @throws GrantError EBADF */
  enter(syscall: string): number {
    const file = this.number(syscall)
    this.delay()
    return file
  }

  /** As `enter`, for what takes no time. */
  number(syscall: string): number {
    if (this.#open) return this.#file
    throw systemCallError(constants.errno.EBADF, syscall, 'the device has been closed', { path: this.path })
  }

  /** Takes the time that a device call takes. */
  delay(): void {
    if (this.#ioctlDelay > 0) Atomics.wait(this.#clock, 0, 0, this.#ioctlDelay)
  }

  /** Closes the file, not the connection: mappings may still need that. @returns false when it was closed before */
  close(): boolean {
    if (!this.#open) return false
    this.delay()
    this.#open = false
    untilGone(() => this.connection.request(`${this.kind}.close`, [this.#file]))
    return true
  }
}

/** For what lets go: a host that has gone has let go of everything of this session already. */
export function untilGone(request: () => void): void {
  try {
    request()
  } catch (error) {
    if (!(error instanceof GrantError && error.code === 'ECONNRESET')) throw error
  }
}
