import type { XenStore, XenStoreOptions } from 'xen-grants/xenstore'

/** A domain that a test has made. */
export interface TestDomain {
  domid: number
  /** '/local/domain/N' */
  home: string
  /** A store with the rights of that domain. */
  guest: XenStore
  destroy(): Promise<void>
}

/** What a test of the contract has: a place of its own in some xenstored. */
export interface StoreWorld {
  /** Whose rules the xenstored follows. */
  rules: 'C' | 'ox'
  store: XenStore
  /** Another connection with the same rights; closed at the end. */
  open(options?: XenStoreOptions): Promise<XenStore>
  /** A node of the test's own. */
  root: string
  /** The directory of the domain the store belongs to, and a node below it of the test's own, spelt without it. */
  home: string
  relative: string
  /** How much of the long tests is done: 1 is all of it. */
  effort: number
  /** Bytes that a message has room for. */
  maxPayload: number
  domain?(options?: XenStoreOptions): Promise<TestDomain>
  end(): Promise<void>
}

export interface StoreTest {
  name: string
  skip?: string
  timeoutMs?: number
  run(world: StoreWorld): Promise<void>
}

export interface StoreContract {
  storeContract(offers: readonly string[]): { name: string; tests: StoreTest[] }[]
  runIn(world: StoreWorld, test: StoreTest): Promise<void>
}
