import type { DeviceLimits } from '../../drivers/gntalloc/grant-device.js'
import { encode, errorFromWire, type Message, protocolError, type WireError } from './codec.js'
import type { Counters } from './counters.js'

/**
 * The calls of a session, by name. Every argument is an integer of at least 0 (booleans are 0 and 1), and a `numbers` in the request or
 * the result travels as the numbers of the message.
 */
export interface Calls {
  /** What an attached program has to know, and is to say: its process. */
  hello: { args: [pid: number]; result: { localDomid: number } }
  open: { args: []; result: { file: number; ioctlDelay: number } }
  allocate: {
    args: [file: number, domid: number, flags: number, count: number]
    result: { index: number; numbers: Uint32Array }
  }
  deallocate: { args: [file: number, index: number, count: number]; result: Nothing }
  setUnmapNotify: { args: [file: number, index: number, action: number, port: number]; result: Nothing }
  mmap: {
    args: [file: number, index: number, count: number]
    result: { mapping: number; numbers: Uint32Array }
  }
  /** Of the grant device and of the mapping device. The pieces are in `numbers`: mapping, first page, count. */
  munmap: { args: []; result: Nothing }
  /** Of any device. */
  close: { args: [file: number]; result: Nothing }
  limits: { args: []; result: DeviceLimits }
  domainExists: { args: [domid: number]; result: { exists: number } }
  /** A peer maps the pairs in `numbers`, see GrantMapDriver.map. */
  map: { args: [mapper: number, writable: number]; result: { mapping: number; numbers: Uint32Array } }
  unmap: { args: [mapping: number]; result: Nothing }
  openMap: { args: [domid: number]; result: { file: number; ioctlDelay: number } }
  /** Records the pairs in `numbers`, see GrantMapDriver.map. */
  mapGrants: { args: [file: number]; result: { index: number } }
  mmapGrants: {
    args: [file: number, index: number, count: number, writable: number]
    result: { mapping: number; numbers: Uint32Array }
  }
  unmapGrants: { args: [file: number, index: number, count: number]; result: Nothing }
  setMapNotify: { args: [file: number, index: number, action: number, port: number]; result: Nothing }
  /** The pieces and the results are in `numbers`, see copy-message.ts. */
  copy: { args: [file: number]; result: { numbers: Uint32Array } }
  openEvents: { args: [domid: number]; result: { file: number; ioctlDelay: number } }
  /** Another session's file becomes this session's too, and goes with the other. To close it is to let go of it. */
  joinEvents: { args: [file: number]; result: { file: number; ioctlDelay: number } }
  bindUnbound: { args: [file: number, domid: number]; result: { port: number } }
  bindInterdomain: { args: [file: number, domid: number, remotePort: number]; result: { port: number } }
  bindVirq: { args: [file: number, virq: number]; result: { port: number } }
  unbind: { args: [file: number, port: number]; result: Nothing }
  notify: { args: [file: number, port: number]; result: Nothing }
  restrict: { args: [file: number, domid: number]; result: Nothing }
  readEvents: { args: [file: number]; result: { numbers: Uint32Array } }
  /** The ports are in `numbers`. */
  unmaskEvents: { args: [file: number]; result: Nothing }
  resetEvents: { args: [file: number]; result: Nothing }
  /** Answered when the file has something to read; what is asked for meanwhile is answered earlier. */
  waitEvents: { args: [file: number]; result: Nothing }
  destroyDomain: { args: [domid: number]; result: Nothing }
  bindPort: { args: []; result: { port: number } }
  events: { args: [port: number]; result: { events: number } }
  /** @param limit a C int, as its two's complement */
  setLimit: { args: [limit: number]; result: Nothing }
  tick: { args: []; result: { freed: number } }
  /** @param call position in `faultableCalls` */
  failNext: { args: [call: number, errno: number]; result: Nothing }
  counters: { args: []; result: Counters }
}

export type Call = keyof Calls
export type Nothing = Record<never, never>

/** Calls that can be made to fail. `close` is not one of them: closing a device never fails. */
export const faultableCalls = [
  'open',
  'allocate',
  'deallocate',
  'setUnmapNotify',
  'mmap',
  'munmap',
  'map',
  'unmap',
  'bindPort',
  'openMap',
  'mapGrants',
  'mmapGrants',
  'unmapGrants',
  'setMapNotify',
  'copy',
  'openEvents',
  'bindUnbound',
  'bindInterdomain',
  'bindVirq',
  'unbind',
  'notify',
  'restrict',
  'readEvents',
  'unmaskEvents',
  'resetEvents',
] as const satisfies readonly Call[]

export type FaultableCall = (typeof faultableCalls)[number]

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
export const files = { socket: 'control.sock', owner: 'owner' } as const

/**
 * The one file of the memory has a name, in the same directory, for each way of mapping it: the kernel's list of what a
 * process maps shows the name, so a granter's own mapping is not taken for a peer's in the same process.
 */
export const memoryFiles = { granted: 'memory', mapped: 'memory.mapped', peers: 'memory.peers' } as const

export type MemoryUse = keyof typeof memoryFiles
