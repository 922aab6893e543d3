import type { DomainProtocol } from '../wire/domain-protocol.js'
import { type Handlers, Later, nothing } from './handler.js'

export const domainHandlers: Handlers<DomainProtocol> = {
  'domain.map': {
    arity: 2,
    run({ kernel }, session, [domid, writable], pairs) {
      const { mapping, frames } = kernel.domain.map(session, domid, pairs, writable !== 0)
      return { mapping, numbers: frames }
    },
  },
  'domain.unmap': {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.domain.unmap(session, ...args)),
  },
  'domain.setLimit': {
    arity: 2,
    run: ({ kernel }, _session, [domid, limit]) => nothing(kernel.domain.setLimit(domid, limit | 0)),
  },
  'domain.bindPort': {
    arity: 1,
    run: ({ kernel }, _session, [domid]) => ({ port: kernel.domain.bindPort(domid) }),
  },
  'domain.events': {
    arity: 2,
    run: ({ kernel }, _session, [domid, port]) => ({ events: kernel.domain.events(domid, port) }),
  },
  'domain.openStore': {
    arity: 1,
    run: ({ stores }, _session, [domid]) => new Later((done) => stores.open(domid, done)),
  },
  'domain.counters': { arity: 1, run: ({ kernel }, session, [domid]) => kernel.counters(session, domid) },
  'domain.destroy': {
    arity: 1,
    run({ kernel, stores }, _session, [domid]) {
      kernel.destroyDomain(domid)
      stores.close(domid)
      return {}
    },
  },
}
