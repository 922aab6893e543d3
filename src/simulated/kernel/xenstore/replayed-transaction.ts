import { MessageType } from '../../../drivers/xenbus/wire.js'
import { areSameRights, isSameTree, transplant } from './node-maps.js'
import { commonPath, parentOf } from './node-paths.js'
import type { NodeStore } from './node-store.js'
import type { Change, StoreTransaction, TransactionRequest } from './node-view.js'
import { Refusal } from './refusal.js'
import type { StoreNode } from './store-node.js'
import type { Rules } from './store-rules.js'

/** How the requests of a connection are repeated. */
export interface Replay {
  /** It takes an id, as a transaction. */
  begin(): void
  /** @returns how a request is answered now */
  perform(view: StoreTransaction, request: TransactionRequest): string
}

const READS: readonly number[] = [MessageType.read, MessageType.directory, MessageType.getPerms]
const WRITES: readonly number[] = [MessageType.write, MessageType.mkdir, MessageType.rm, MessageType.setPerms]
/** What can be repeated: whatever else has been asked for in a transaction, it fails. Two are refused as before. */
const REPEATABLE: readonly number[] = [
  ...READS,
  ...WRITES,
  MessageType.getDomainPath,
  MessageType.watchEvent,
  MessageType.error,
]

/**
 * A transaction of oxenstored: a copy of all nodes. At its end, if others have changed anything meanwhile,
 * - and if that is outside of the smallest trees that hold all it has read and all it has written, its tree is put in place;
 * - otherwise everything is done again with the nodes as they are then, and it fails if any request is answered in another
 *   way than before.
 * One that has changed nothing does not fail.
 */
export class ReplayedTransaction implements StoreTransaction {
  readonly #store: NodeStore
  readonly #rules: Rules
  readonly #privileged: boolean
  readonly #replay: Replay
  readonly #before: ReadonlyMap<string, StoreNode>
  readonly #nodes: Map<string, StoreNode>
  readonly #counts = new Map<number, number>()
  readonly #changes: Change[] = []
  readonly #requests: (TransactionRequest & { answer: string })[] = []
  /** The roots of the smallest trees that hold all that requests have read, and written. Refused ones have done neither. */
  #readBelow: string | undefined
  #wroteBelow: string | undefined
  /** Those of the request that is being carried out. */
  #reading: string | undefined
  #writing: string | undefined

  /** @param privileged nobody counts what it asks for */
  constructor(store: NodeStore, rules: Rules, privileged: boolean, replay: Replay) {
    this.#store = store
    this.#rules = rules
    this.#privileged = privileged
    this.#replay = replay
    this.#before = store.copy()
    this.#nodes = store.copy()
  }

  read(path: string): StoreNode | undefined {
    this.#reading = commonPath(path, this.#reading)
    return this.#nodes.get(path)
  }

  touch(): number {
    return 0
  }

  store(path: string, node: StoreNode): void {
    this.#writing = commonPath(path, this.#writing)
    this.#nodes.set(path, node)
  }

  delete(path: string): void {
    this.#nodes.delete(path)
  }

  owned(owner: number): number {
    return this.#store.owned(owner) + (this.#counts.get(owner) ?? 0)
  }

  count(owner: number, difference: number): void {
    this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + difference)
  }

  changed(change: Change): void {
    this.#changes.push(change)
  }

  created(): void {}

  spoil(): void {}

  begin(): void {
    if (!this.#privileged && this.#requests.length >= this.#rules.quotas.transactionNodes)
      throw new Refusal(this.#rules.tooMany)
    this.#reading = undefined
    this.#writing = undefined
  }

  done(request: TransactionRequest, answer: string, refused: boolean): void {
    this.#requests.push({ ...request, answer })
    if (refused) return
    if (READS.includes(request.type)) this.#readBelow = commonPath(this.#reading!, this.#readBelow)
    if (this.#writing !== undefined) this.#wroteBelow = commonPath(this.#writing, this.#wroteBelow)
  }

  commit(): void {
    if (this.#changes.length === 0) return
    const now = this.#store.copy()
    if (this.#isUntouched(this.#readBelow, now) && this.#isUntouched(this.#wroteBelow, now))
      this.#install(transplant(this.#wroteBelow ?? '/', this.#nodes, now), this.#counts)
    else this.#repeat()
    for (const change of this.#changes) this.#tell(change)
  }

  /** What has been removed is looked for where it was before the transaction: of what came in it, its parent is. */
  #tell(change: Change): void {
    if (change.node === undefined) {
      this.#store.changed(change)
      return
    }
    const node = this.#before.get(change.path)
    const parent = this.#before.get(parentOf(change.path))
    if (node !== undefined) this.#store.changed({ ...change, node })
    else if (parent !== undefined && !change.exact)
      this.#store.changed({ path: change.path, exact: false, previous: parent.permissions })
  }

  #repeat(): void {
    const again = new ReplayedTransaction(this.#store, this.#rules, true, this.#replay)
    this.#replay.begin()
    for (const { answer, ...request } of this.#requests)
      if (!REPEATABLE.includes(request.type) || this.#replay.perform(again, request) !== answer)
        throw new Refusal('EAGAIN')
    this.#install(again.#nodes, again.#counts)
  }

  #install(nodes: Map<string, StoreNode>, counts: ReadonlyMap<number, number>): void {
    this.#store.replace(nodes)
    for (const [owner, difference] of counts) this.#store.count(owner, difference)
  }

  /** What is absent before and after is held to be so if its parent is there. */
  #isUntouched(path: string | undefined, now: ReadonlyMap<string, StoreNode>): boolean {
    if (path === undefined) return true
    if (!this.#before.has(path) && !now.has(path)) return now.has(parentOf(path))
    return isSameTree(path, this.#before, now) && areSameRights(path, this.#before, now)
  }
}
