import type { EventDevice } from '../../src/drivers/evtchn/event-device.js'
import type { AddressedGrants, AddressedMaps } from './addressed.mjs'

/**
 * What a contract test may use: a domain that grants through the device seam, and a peer that maps. There are two: the
 * simulated Xen (simulated-world.mjs) and the real driver (test/xen/guest/real-world.mjs). A test that needs more than
 * this is not about the contract.
 */
export interface World {
  /** The domain the peer is. What is granted to it, it can map. */
  readonly domid: number
  /** A domain that the peer is not. */
  readonly stranger: number
  /** The driver's limit when a test begins. */
  readonly limit: number

  /** Whether the mapping device is that of a paravirtualised domain. */
  readonly paravirtualised: boolean

  /** A new file of the device. Closed at the end of the test. */
  open(): AddressedGrants
  /** And of the mapping device of the same domain: what it grants to itself, it can map. */
  openMap(): AddressedMaps
  /** And of the event channel device: a domain has channels with itself too. */
  openEvents(): Promise<EventFile>

  /** The granter's memory, by the addresses that mmap returned. They are copied: nothing is left to point there. */
  read(address: number, length: number): Buffer
  write(address: number, bytes: ArrayLike<number>): void

  /** The peer maps references side by side, by default writable. Rejects with the name of the errno as `code`. */
  map(refs: Iterable<number>, options?: { writable?: boolean }): Promise<PeerMapping>
  /** Whether Xen lets the peer map this reference for reading now. */
  canMap(ref: number): Promise<boolean>
  /** Resolves when none of these references can be mapped any more: deferred pages are looked at once in a while. */
  settled(refs: Iterable<number>): Promise<void>

  /** Until the test ends. */
  setLimit(limit: number): Promise<void>

  /** An event channel port of the granting domain. */
  bindPort(): Promise<number>
  /** Whether an event has arrived at the port since it was last found, waiting for it for a moment. */
  fired(port: number): Promise<boolean>
  /** Whether none has: what was sent before this call is seen. */
  silent(port: number): Promise<boolean>

  /** Another process that opens the device and holds grants, see children/holder.mjs. */
  holder(options: HolderOptions): Promise<Holder>

  /** Gives back what the test has left open, and fails when the driver counts anything that nobody holds. */
  end(): Promise<void>
}

/** Both halves of an open file of it. */
export interface EventFile {
  readonly device: Pick<EventDevice, 'bindUnbound' | 'bindInterdomain' | 'unbind'>
  notify(port: number): Promise<void>
  unmask(ports: readonly number[]): Promise<void>
  /** What has fired since, waiting for a moment for so many. They stay masked. */
  taken(count: number): Promise<number[]>
  close(): Promise<void>
}

export interface PeerMapping {
  read(offset: number, length: number): Buffer
  write(offset: number, bytes: ArrayLike<number>): void
  unmap(): Promise<void>
}

export interface HolderOptions {
  pages: number
  /** How many of them to map, from the first on. The mapped ones are filled with 0xaa. */
  mapped?: number
  /** Arms every page: its byte 5 is cleared, and the port gets an event if there is one. */
  notify?: { port?: number }
  /** Frees all pages right away: those that are mapped stay granted. */
  freed?: boolean
  /** Closes the file right away. */
  closed?: boolean
}

export interface Holder {
  readonly refs: number[]
  /** Ends the process by SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>
  /** Has it end by itself with everything still open. */
  exit(): Promise<void>
}

/**
 * What the contract of two domains may use: two that both grant and map. There are two such pairs: domains 3 and 5 of the
 * simulated Xen (simulated-pair.mjs), and dom0 and a guest (test/xen/guest/real-pair.mjs).
 */
export interface Pair {
  /** A domain that neither is. */
  readonly stranger: number
  /** The program of each, started if none runs (any more). */
  programs(): Promise<[near: DomainProgram, far: DomainProgram]>
  /** Fails when anything is left that the test has made. The programs that live go on to serve the next. */
  end(): Promise<void>
  close(): Promise<void>
}

/** children/domain.mjs, running in one of the domains. */
export interface DomainProgram {
  readonly domid: number
  ask(command: string, request: object): Promise<unknown>
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
}

/** A file of the contract. */
export interface ContractSuite<W = World> {
  name: string
  tests: ContractTest<W>[]
}

export interface ContractTest<W = World> {
  name: string
  run(world: W): void | Promise<void>
  /** Why it cannot run. */
  skip?: string
}
