import type { Counters } from './counters.js'
import type { MappedReply, Nothing } from './replies.js'

/** What is done to a domain, or in its name, without a device of it. */
export interface DomainProtocol {
  /** Maps the pairs in `numbers` (see `gntdev.map`) without a file. */
  'domain.map': { args: [domid: number, writable: number]; result: MappedReply }
  'domain.unmap': { args: [mapping: number]; result: Nothing }
  /** @param limit of its gntalloc: a C int, as its two's complement */
  'domain.setLimit': { args: [domid: number, limit: number]; result: Nothing }
  'domain.bindPort': { args: [domid: number]; result: { port: number } }
  'domain.events': { args: [domid: number, port: number]; result: { events: number } }
  /** Makes the domain's socket of the xenstored, see `storeSocket`. That of a destroyed domain refuses every program. */
  'domain.openStore': { args: [domid: number]; result: Nothing }
  'domain.counters': { args: [domid: number]; result: Counters }
  'domain.destroy': { args: [domid: number]; result: Nothing }
}

/** As `gntallocFaults`. */
export const domainFaults = {
  'domain.map': 'mmap',
  'domain.unmap': 'munmap',
  'domain.bindPort': 'ioctl',
} as const satisfies Partial<Record<keyof DomainProtocol, string>>
