import { protocolError } from '../wire/codec.js'
import { faultableCalls } from '../wire/protocol.js'
import type { XenProtocol } from '../wire/xen-protocol.js'
import { type Handlers, nothing } from './handler.js'

export const xenHandlers: Handlers<XenProtocol> = {
  'xen.hello': {
    arity: 1,
    run(_machine, session, [pid]) {
      session.process = pid
      return {}
    },
  },
  'xen.counters': { arity: 0, run: ({ kernel }, session) => kernel.counters(session) },
  'xen.tick': { arity: 0, run: ({ kernel }) => ({ freed: kernel.tick() }) },
  'xen.failNext': {
    arity: 2,
    run({ faults }, _session, [position, errno]) {
      const call = faultableCalls[position]
      if (call === undefined) throw protocolError(`the number ${position} for a call`)
      return nothing(faults.add(call, errno))
    },
  },
}
