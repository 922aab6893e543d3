import { type Caller, StoreCaller } from './caller.js'
import { DomainStream, type DomainWatch } from './domain-watch.js'
import { openTransport } from './open-transport.js'
import { StoreConnection } from './store-connection.js'
import type { XenStoreError } from './store-error.js'
import { checkStoreOptions } from './store-options.js'
import { Transactions } from './transactions.js'
import { type StoreWatch, WatchStream } from './watch-stream.js'
import { Watches } from './watches.js'

/**
 * What an open store consists of. Loaded with the first that is opened, since each module takes its time and a program that
 * imports the package need not open one.
 */
export interface StoreParts {
  connection: StoreConnection
  caller: Caller
  transactions: Transactions
  /** Resolves with why nothing can be asked any more. */
  ended: Promise<XenStoreError>
  watch(path: string, signal: AbortSignal | undefined): StoreWatch
  watchDomains(signal: AbortSignal | undefined): DomainWatch
}

/** @throws as XenStore.open */
export async function openParts(options: unknown): Promise<StoreParts> {
  const { path, signal, maxTransactions, ...settings } = checkStoreOptions(options)
  const connection = new StoreConnection(await openTransport(path, signal), settings)
  const caller = new StoreCaller(connection)
  const transactions = new Transactions(connection, maxTransactions)
  const context = { connection, watches: new Watches(connection) }
  const ended = new Promise<XenStoreError>((resolve) => {
    connection.onEnd = (reason) => {
      context.watches.end(reason)
      transactions.end(reason)
      resolve(reason)
    }
  })
  return {
    connection,
    caller,
    transactions,
    ended,
    watch: (watched, stop) => new WatchStream(context, [watched], stop),
    watchDomains: (stop) => new DomainStream(context, caller, stop),
  }
}
