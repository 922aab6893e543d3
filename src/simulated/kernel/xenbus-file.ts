import { Buffer } from 'node:buffer'
import { encodeMessage, type StoreMessage } from '../../drivers/xenbus/wire.js'
import { OneWaiter } from './one-waiter.js'

/** A watch of a file: the kernel has its own token for it at xenstored. */
export interface XenbusWatch {
  readonly path: string
  readonly token: string
  readonly kernelToken: string
}

const NOTHING = Buffer.alloc(0)

/** An open file of the xenstore device. */
export class XenbusFile {
  readonly domid: number
  readonly watches = new Set<XenbusWatch>()
  readonly transactions = new Set<number>()
  /** What has been written of a request that is not complete. */
  partial: Buffer = NOTHING
  #unread: Buffer[] = []
  readonly #waiter = new OneWaiter()
  #open = true

  constructor(domid: number) {
    this.domid = domid
  }

  get isOpen(): boolean {
    return this.#open
  }

  push(message: StoreMessage): void {
    if (!this.#open) return
    this.#unread.push(encodeMessage(message))
    this.#waiter.wake()
  }

  /** Everything that waits. */
  read(): Buffer {
    const all = Buffer.concat(this.#unread)
    this.#unread = []
    return all
  }

  /** See {@link OneWaiter}. */
  wait(wake: () => void): void {
    this.#waiter.wait(wake, this.#unread.length > 0)
  }

  close(): void {
    this.#open = false
    this.#waiter.forget()
  }
}
