import { untilAborted } from '../abort.js'
import { type Attempt, ended, failed, isConflict } from './attempt.js'
import type { OpenTransaction } from './open-transaction.js'
import type { XenStoreError } from './store-error.js'
import { StoreView } from './store-view.js'

/**
 * A transaction of this package's own that knows all its changes once it has read what they depend on. They travel together
 * with the commit: a round trip less than when that waits for their answers.
 */
export interface Exchange<T> {
  /** Requests only. */
  read(t: StoreView): Promise<T>
  /**
   * Makes the requests for all changes before it returns, in the order in which xenstored is to carry them out. When one of
   * them is refused, the others may have been committed all the same.
   * @returns undefined when nothing is to be changed
   */
  write(t: StoreView, found: T): Promise<unknown>[] | undefined
}

/** @param end gives the transaction back and says why it was refused. @throws as `XenStore.transaction`; what a request was refused with */
export async function attemptExchange<T>(
  open: OpenTransaction,
  { read, write }: Exchange<T>,
  end: (commit: boolean) => Promise<XenStoreError | undefined>,
  signal: AbortSignal | undefined,
): Promise<Attempt<T>> {
  let found: T
  let requests: Promise<unknown>[] | undefined
  try {
    signal?.throwIfAborted()
    const view = new StoreView(open)
    found = await untilAborted(read(view), signal)
    requests = write(view, found)
  } catch (error) {
    const undoing = end(false)
    // The caller waits for nothing any more, not even for that.
    if (signal?.aborted && error === signal.reason) throw error
    return failed(error, await undoing)
  }
  const results = Promise.allSettled(requests ?? [])
  const refused = await end(requests !== undefined)
  const failure = (await results).find((result) => result.status === 'rejected')
  // Why a change was refused says more than that nothing could be committed then.
  if (failure && !(refused && isConflict(refused))) return failed(failure.reason, refused)
  return ended(found, refused)
}
