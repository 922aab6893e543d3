import type { Kernel } from '../kernel/kernel.js'
import type { Session } from '../kernel/session.js'
import { protocolError } from '../wire/codec.js'
import { type Call, type Calls, faultableCalls } from '../wire/protocol.js'
import type { Faults } from './faults.js'

/** What the calls work on. */
export interface Machine {
  readonly kernel: Kernel
  readonly localDomid: number
  readonly ioctlDelay: number
  readonly faults: Faults
}

/** An answer that has to wait. */
export class Later {
  constructor(readonly start: (done: () => void) => void) {}
}

type Handlers = {
  [K in Call]: {
    arity: Calls[K]['args']['length']
    run(
      machine: Machine,
      session: Session,
      args: Calls[K]['args'],
      numbers: Uint32Array,
    ): Calls[K]['result'] | Later
  }
}

/** How each call is carried out. */
export const handlers: Handlers = {
  hello: {
    arity: 1,
    run({ localDomid }, session, [pid]) {
      session.process = pid
      return { localDomid }
    },
  },
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
  munmap: { arity: 0, run: ({ kernel }, session, _args, pieces) => munmapAll(kernel, session, pieces) },
  close: { arity: 1, run: ({ kernel }, session, args) => nothing(kernel.close(session, ...args)) },
  limits: { arity: 0, run: ({ kernel }) => kernel.limits() },
  domainExists: {
    arity: 1,
    run: ({ kernel }, _session, [domid]) => ({ exists: Number(kernel.domains.exists(domid)) }),
  },
  map: {
    arity: 2,
    run({ kernel }, session, [mapper, writable], pairs) {
      kernel.domains.mustExist(mapper, `mapping in domain ${mapper}`)
      const { mapping, frames } = kernel.map(session, mapper, pairs, writable !== 0)
      return { mapping, numbers: frames }
    },
  },
  unmap: { arity: 1, run: ({ kernel }, session, args) => nothing(kernel.unmap(session, ...args)) },
  openMap: {
    arity: 1,
    run({ kernel: { domains, mapCalls }, ioctlDelay }, session, [domid]) {
      domains.mustExist(domid, `opening the mapping device of domain ${domid}`)
      return { file: mapCalls.open(session, domid), ioctlDelay }
    },
  },
  mapGrants: {
    arity: 1,
    run: ({ kernel }, session, [file], pairs) => ({ index: kernel.mapCalls.map(session, file, pairs) }),
  },
  mmapGrants: {
    arity: 4,
    run({ kernel: { mapCalls } }, session, [file, index, count, writable]) {
      const { mapping, frames } = mapCalls.mmap(session, file, index, count, writable !== 0)
      return { mapping, numbers: frames }
    },
  },
  unmapGrants: {
    arity: 3,
    run: ({ kernel }, session, args) => nothing(kernel.mapCalls.unmap(session, ...args)),
  },
  setMapNotify: {
    arity: 4,
    run: ({ kernel }, session, args) => nothing(kernel.mapCalls.setUnmapNotify(session, ...args)),
  },
  copy: {
    arity: 1,
    run: ({ kernel }, session, [file], numbers) => ({
      numbers: kernel.mapCalls.copy(session, file, numbers),
    }),
  },
  openEvents: {
    arity: 1,
    run({ kernel: { domains, eventCalls }, ioctlDelay }, session, [domid]) {
      domains.mustExist(domid, `opening the event channel device of domain ${domid}`)
      return { file: eventCalls.open(session, domid), ioctlDelay }
    },
  },
  joinEvents: {
    arity: 1,
    run({ kernel, ioctlDelay }, session, [file]) {
      kernel.joinEvents(session, file)
      return { file, ioctlDelay }
    },
  },
  bindUnbound: {
    arity: 2,
    run: ({ kernel }, session, args) => ({ port: kernel.eventCalls.bindUnbound(session, ...args) }),
  },
  bindInterdomain: {
    arity: 3,
    run: ({ kernel }, session, args) => ({ port: kernel.eventCalls.bindInterdomain(session, ...args) }),
  },
  bindVirq: {
    arity: 2,
    run: ({ kernel }, session, args) => ({ port: kernel.eventCalls.bindVirq(session, ...args) }),
  },
  unbind: {
    arity: 2,
    run: ({ kernel }, session, args) => nothing(kernel.eventCalls.unbind(session, ...args)),
  },
  notify: {
    arity: 2,
    run: ({ kernel }, session, args) => nothing(kernel.eventCalls.notify(session, ...args)),
  },
  restrict: {
    arity: 2,
    run: ({ kernel }, session, args) => nothing(kernel.eventCalls.restrict(session, ...args)),
  },
  readEvents: {
    arity: 1,
    run: ({ kernel }, session, args) => ({
      numbers: Uint32Array.from(kernel.eventCalls.read(session, ...args)),
    }),
  },
  unmaskEvents: {
    arity: 1,
    run: ({ kernel }, session, [file], ports) => nothing(kernel.eventCalls.unmask(session, file, ports)),
  },
  resetEvents: {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.eventCalls.reset(session, ...args)),
  },
  waitEvents: {
    arity: 1,
    run: ({ kernel }, session, [file]) => new Later((done) => kernel.eventCalls.wait(session, file, done)),
  },
  destroyDomain: { arity: 1, run: ({ kernel }, _session, [domid]) => nothing(kernel.destroyDomain(domid)) },
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

function munmapAll(kernel: Kernel, session: Session, pieces: Uint32Array): Record<never, never> {
  for (let at = 0; at + 2 < pieces.length; at += 3)
    kernel.munmap(session, pieces[at]!, pieces[at + 1]!, pieces[at + 2]!)
  return {}
}

function nothing(_done: unknown): Record<never, never> {
  return {}
}
