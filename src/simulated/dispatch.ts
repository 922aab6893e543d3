import { GrantError } from '../errors.js'
import type { Faults } from './faults.js'
import type { Kernel, Session } from './kernel.js'
import { type Call, type Calls, encodeResult, faultableCalls, type ReplyHead } from './protocol.js'
import { encode, errorToWire, type Message, protocolError } from './wire.js'

/** What the calls work on. */
export interface Machine {
  readonly kernel: Kernel
  readonly localDomid: number
  readonly ioctlDelay: number
  readonly faults: Faults
}

type Handlers = {
  [K in Call]: {
    arity: Calls[K]['args']['length']
    run(machine: Machine, session: Session, args: Calls[K]['args'], numbers: Uint32Array): Calls[K]['result']
  }
}

const handlers: Handlers = {
  hello: { arity: 0, run: ({ localDomid }) => ({ localDomid }) },
  open: { arity: 0, run: ({ kernel, ioctlDelay }, session) => ({ file: kernel.open(session), ioctlDelay }) },
  allocate: {
    arity: 4,
    run({ kernel }, session, args) {
      const { index, refs } = kernel.allocate(session, ...args)
      return { index, numbers: refs }
    },
  },
  deallocate: { arity: 3, run: ({ kernel }, session, args) => nothing(kernel.deallocate(session, ...args)) },
  setUnmapNotify: {
    arity: 4,
    run: ({ kernel }, session, args) => nothing(kernel.setUnmapNotify(session, ...args)),
  },
  mmap: {
    arity: 3,
    run({ kernel }, session, args) {
      const { mapping, frames } = kernel.mmap(session, ...args)
      return { mapping, numbers: frames }
    },
  },
  munmap: { arity: 3, run: ({ kernel }, session, args) => nothing(kernel.munmap(session, ...args)) },
  replaceMapping: { arity: 3, run: ({ kernel }, session, args) => nothing(kernel.munmap(session, ...args)) },
  close: { arity: 1, run: ({ kernel }, session, args) => nothing(kernel.close(session, ...args)) },
  limits: { arity: 0, run: ({ kernel }) => kernel.limits() },
  map: {
    arity: 2,
    run({ kernel }, session, [mapper, writable], pairs) {
      const { mapping, frames } = kernel.map(session, mapper, pairs, writable !== 0)
      return { mapping, numbers: frames }
    },
  },
  unmap: { arity: 1, run: ({ kernel }, session, args) => nothing(kernel.unmap(session, ...args)) },
  bindPort: { arity: 0, run: ({ kernel }) => ({ port: kernel.bindPort() }) },
  events: { arity: 1, run: ({ kernel }, _session, [port]) => ({ events: kernel.events(port) }) },
  setLimit: { arity: 1, run: ({ kernel }, _session, [limit]) => nothing(kernel.setLimit(limit | 0)) },
  tick: { arity: 0, run: ({ kernel }) => ({ freed: kernel.tick() }) },
  failNext: {
    arity: 2,
    run({ faults }, _session, [position, errno]) {
      const call = faultableCalls[position]
      if (call === undefined) throw protocolError(`the number ${position} for a call`)
      return nothing(faults.add(call, errno))
    },
  },
  counters: { arity: 0, run: ({ kernel }, session) => kernel.counters(session) },
}

/**
 * Does what a message asks for.
 * @returns the encoded reply. A failed call is a reply too. @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function answer(machine: Machine, session: Session, { head, numbers }: Message): Buffer {
  const { id, call, args } = checkRequest(head)
  try {
    machine.faults.check(call)
    // checkRequest has found the number of integers that the tuple type wants.
    const run = handlers[call].run as (...all: unknown[]) => { numbers?: Uint32Array }
    return encodeResult(id, run(machine, session, args, numbers))
  } catch (error) {
    if (!(error instanceof GrantError) || error.code === 'ERR_GRANTS_PROTOCOL') throw error
    return encode({ id, error: errorToWire(error) } satisfies ReplyHead)
  }
}

function checkRequest(head: unknown): { id: number; call: Call; args: number[] } {
  if (typeof head !== 'object' || head === null) throw protocolError('a message that is no request')
  const { id, call, args } = head as Record<string, unknown>
  if (!Number.isSafeInteger(id) || typeof call !== 'string' || !Object.hasOwn(handlers, call))
    throw protocolError(`the unknown call ${JSON.stringify(call)}`)
  const { arity } = handlers[call as Call]
  if (!Array.isArray(args) || args.length !== arity || !args.every(isArgument))
    throw protocolError(`wrong arguments for ${call}`)
  return { id: id as number, call: call as Call, args }
}

function isArgument(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function nothing(_done: unknown): Record<never, never> {
  return {}
}
