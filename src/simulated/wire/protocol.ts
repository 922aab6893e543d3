import type { Buffer } from 'node:buffer'
import { encode, errorFromWire, type Message, protocolError, type WireError } from './codec.js'
import { type DomainProtocol, domainFaults } from './domain-protocol.js'
import { type EvtchnProtocol, evtchnFaults } from './evtchn-protocol.js'
import { type GntallocProtocol, gntallocFaults } from './gntalloc-protocol.js'
import { type GntdevProtocol, gntdevFaults } from './gntdev-protocol.js'
import type { XenProtocol } from './xen-protocol.js'
import { type XenbusProtocol, xenbusFaults } from './xenbus-protocol.js'

/**
 * The calls of a session, each named after what it is a call of. Every argument is an integer of at least 0 (booleans are 0
 * and 1), and a `numbers` in the request or the result travels as the numbers of the message.
 */
export interface Calls
  extends GntallocProtocol,
    GntdevProtocol,
    EvtchnProtocol,
    XenbusProtocol,
    DomainProtocol,
    XenProtocol {}

export type Call = keyof Calls

/**
 * Calls that can be made to fail, and what the real call would be, for the error. Closing is not one of them: it never
 * fails.
 */
export const faults = {
  ...gntallocFaults,
  ...gntdevFaults,
  ...evtchnFaults,
  ...xenbusFaults,
  ...domainFaults,
}

/** What `SimulatedXen.failNext()` can make fail: a call, named after the device it is a call of. */
export type FaultableCall = keyof typeof faults

export const faultableCalls = Object.keys(faults) as FaultableCall[]

/** `id` is the sender's and comes back in the reply. Replies come in the order of the requests, except what has to wait. */
export interface RequestHead {
  id: number
  call: Call
  args: readonly number[]
}

/** `id` 0 answers what was not understood as a request; the connection is closed after it. */
export type ReplyHead = { id: number; result: object } | { id: number; error: WireError }

export function encodeResult(id: number, { numbers, ...result }: { numbers?: Uint32Array }): Buffer {
  // The place of the numbers is kept, so that the other side knows an empty array from none.
  const placed = numbers === undefined ? result : { ...result, numbers: true }
  return encode({ id, result: placed } satisfies ReplyHead, numbers)
}

/**
 * What a reply to request `id` says.
 * @param path of the device that asked, for its errors: the host knows only its files
 * @throws GrantError the call's own, ERR_GRANTS_PROTOCOL
 */
export function decodeResult<K extends Call>(
  id: number,
  { head, numbers }: Message,
  path?: string,
): Calls[K]['result'] {
  const reply = head as ReplyHead
  if ('error' in reply) throw errorFromWire(path === undefined ? reply.error : { path, ...reply.error })
  if (reply.id !== id) throw protocolError(`the answer to request ${reply.id} in place of ${id}`)
  const result = 'numbers' in reply.result ? { ...reply.result, numbers } : reply.result
  return result as Calls[K]['result']
}

/** Files of the directory that stands for one simulated Xen. */
export const files = { socket: 'control.sock', owner: 'owner', events: 'events' } as const

/**
 * The one file of the memory has a name, in the same directory, for each way of mapping it: the kernel's list of what a
 * process maps shows the name, so a granter's own mapping is not taken for a peer's in the same process.
 */
export const memoryFiles = { granted: 'memory', mapped: 'memory.mapped', peers: 'memory.peers' } as const

/** A named pipe for the events of each open file of evtchn: u32 ports that have fired, little-endian. */
export function ringFile(ring: number): string {
  return `ring-${ring}`
}

/** And the socket of its xenstored for programs of a domain. It is made when it is first asked for. */
export function storeSocket(domid: number): string {
  return `store-${domid}`
}

export type MemoryUse = keyof typeof memoryFiles
