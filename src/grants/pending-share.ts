import { performance, type RecordableHistogram } from 'node:perf_hooks'
import { onAbort } from '../abort.js'
import { isHeard, publish } from '../diagnostics.js'
import type { ClientContext } from './client-context.js'
import type { Pending } from './device-connection.js'
import { Grant } from './grant.js'
import { Op, ShareFlag } from './grant-messages.js'
import { GrantWork } from './grant-work.js'
import type { CheckedShare } from './share-options.js'

/** The client that shares. */
export interface Sharer {
  readonly context: ClientContext
  /** From the call to its end, in nanoseconds. */
  readonly latency: RecordableHistogram
  /** What its caller is told instead. */
  reasonOf(error: unknown): unknown
  /** It is on its way no more. */
  settled(id: number): void
}

/** A share on its way. One object and one promise, since a busy service makes thousands a second. */
export class PendingShare implements Pending {
  readonly #sharer: Sharer
  readonly #options: CheckedShare
  readonly #resolve: (grant: Grant) => void
  readonly #reject: (error: unknown) => void
  readonly #began = performance.now()
  /** Of the request. */
  readonly id: number
  readonly #takeBack: (() => void) | undefined
  #aborted = false

  constructor(
    sharer: Sharer,
    options: CheckedShare,
    resolve: (grant: Grant) => void,
    reject: (error: unknown) => void,
  ) {
    this.#sharer = sharer
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
    const { domid, pages, writable, wait, signal, status } = options
    const flags =
      (writable ? ShareFlag.writable : 0) | (wait ? ShareFlag.wait : 0) | (status ? ShareFlag.status : 0)
    this.id = sharer.context.connection.send(this, Op.share, domid, pages, flags)
    this.#takeBack = signal && onAbort(signal, () => this.#abort(signal.reason))
  }

  answered(
    values: readonly number[],
    at: number,
    count: number,
    buffers: readonly SharedArrayBuffer[],
  ): void {
    const { domid, pages, writable } = this.#options
    const { context } = this.#sharer
    const id = values[at + 1]!
    const buffer = buffers[values[at]!]!
    if (this.#aborted) {
      // Held until it has been given back: should the device worker die before, zero pages have to be put there.
      context.unclaimed.add(buffer)
      context.connection
        .request(Op.unshare, id)
        .catch(() => {})
        .finally(() => context.unclaimed.delete(buffer))
      return
    }
    const refs: number[] = []
    for (let i = at + 2; i < at + count; i++) refs.push(values[i]!)
    this.#settle()
    if (isHeard('xen-grants:share')) {
      const milliseconds = performance.now() - this.#began
      publish('xen-grants:share', () => ({ id, domid, pages, writable, milliseconds }))
    }
    this.#resolve(new Grant(new GrantWork({ id, buffer, domid, writable, refs, owner: true }, context)))
  }

  failed(error: unknown): void {
    if (!this.#aborted) this.#fail(error)
  }

  /** The caller's signal: rejects at once; a grant that arrives after that goes straight back. */
  #abort(reason: unknown): void {
    this.#sharer.context.connection.cancel(this.id)
    this.#fail(reason)
    this.#aborted = true
  }

  #fail(error: unknown): void {
    this.#settle()
    const reason = this.#sharer.reasonOf(error)
    publish('xen-grants:error', () => ({ operation: 'share', error: reason as Error }))
    this.#reject(reason)
  }

  #settle(): void {
    this.#takeBack?.()
    this.#sharer.settled(this.id)
    this.#sharer.latency.record(Math.max(1, Math.round((performance.now() - this.#began) * 1e6)))
  }
}
