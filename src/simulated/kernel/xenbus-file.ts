import { Buffer } from 'node:buffer'
import { encodeMessage, type StoreMessage } from '../../drivers/xenbus/wire.js'

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
  #wake: (() => void) | undefined
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
    this.#wakeUp()
  }

  /** Everything that waits. */
  read(): Buffer {
    const all = Buffer.concat(this.#unread)
    this.#unread = []
    return all
  }

  /** As EventFile's. */
  wait(wake: () => void): void {
    this.#wake = wake
    if (this.#unread.length > 0) this.#wakeUp()
  }

  close(): void {
    this.#open = false
    this.#wake = undefined
  }

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
