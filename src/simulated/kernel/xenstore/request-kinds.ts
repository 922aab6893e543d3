import { MessageType } from '../../../drivers/xenbus/wire.js'
import { control } from './control-requests.js'
import * as domains from './domain-requests.js'
import * as nodes from './node-requests.js'
import type { StoreHandler } from './store-request.js'
import * as transactions from './transaction-requests.js'
import * as watches from './watch-requests.js'

/** How the requests of a type are carried out. */
export interface RequestKind {
  readonly run: StoreHandler
  /** Refused to guests. */
  readonly privileged?: true
  /** The transaction in its header is not looked at. */
  readonly outsideTransactions?: true
  /** oxenstored does not know it. */
  readonly onlyC?: true
}

/** By the type in the header. Whatever else comes is refused. */
export const requestKinds: ReadonlyMap<number, RequestKind> = new Map<number, RequestKind>([
  [MessageType.control, { run: control }],
  [MessageType.directory, { run: nodes.directory }],
  [MessageType.read, { run: nodes.read }],
  [MessageType.getPerms, { run: nodes.getPermissions }],
  [MessageType.watch, { run: watches.watch, outsideTransactions: true }],
  [MessageType.unwatch, { run: watches.unwatch, outsideTransactions: true }],
  [MessageType.transactionStart, { run: transactions.transactionStart }],
  [MessageType.transactionEnd, { run: transactions.transactionEnd }],
  [MessageType.introduce, { run: domains.introduce, privileged: true }],
  [MessageType.release, { run: domains.release, privileged: true }],
  [MessageType.getDomainPath, { run: domains.getDomainPath }],
  [MessageType.write, { run: nodes.write }],
  [MessageType.mkdir, { run: nodes.makeDirectory }],
  [MessageType.rm, { run: nodes.remove }],
  [MessageType.setPerms, { run: nodes.setPermissions }],
  [MessageType.isDomainIntroduced, { run: domains.isDomainIntroduced, privileged: true }],
  [MessageType.resume, { run: domains.resume, privileged: true }],
  [MessageType.setTarget, { run: domains.setTarget, privileged: true }],
  [MessageType.resetWatches, { run: watches.resetWatches }],
  [MessageType.directoryPart, { run: nodes.directoryPart, onlyC: true }],
])
