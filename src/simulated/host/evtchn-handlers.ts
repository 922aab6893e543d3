import type { EvtchnProtocol } from '../wire/evtchn-protocol.js'
import { type Handlers, nothing } from './handler.js'

export const evtchnHandlers: Handlers<EvtchnProtocol> = {
  'evtchn.open': {
    arity: 1,
    run({ kernel, ioctlDelay }, session, args) {
      const file = kernel.evtchn.open(session, ...args)
      return { file, ioctlDelay, place: kernel.evtchn.placeOf(session, file) }
    },
  },
  'evtchn.join': {
    arity: 1,
    run({ kernel, ioctlDelay }, session, [file]) {
      kernel.evtchn.join(session, file)
      return { file, ioctlDelay }
    },
  },
  'evtchn.bindUnbound': {
    arity: 2,
    run: ({ kernel }, session, args) => ({ port: kernel.evtchn.bindUnbound(session, ...args) }),
  },
  'evtchn.bindInterdomain': {
    arity: 3,
    run: ({ kernel }, session, args) => ({ port: kernel.evtchn.bindInterdomain(session, ...args) }),
  },
  'evtchn.bindVirq': {
    arity: 2,
    run: ({ kernel }, session, args) => ({ port: kernel.evtchn.bindVirq(session, ...args) }),
  },
  'evtchn.unbind': {
    arity: 2,
    run: ({ kernel }, session, args) => nothing(kernel.evtchn.unbind(session, ...args)),
  },
  'evtchn.notify': {
    arity: 2,
    run: ({ kernel }, session, args) => nothing(kernel.evtchn.notify(session, ...args)),
  },
  'evtchn.restrict': {
    arity: 2,
    run: ({ kernel }, session, args) => nothing(kernel.evtchn.restrict(session, ...args)),
  },
  'evtchn.read': {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.evtchn.read(session, ...args)),
  },
  'evtchn.unmask': {
    arity: 1,
    run: ({ kernel }, session, [file], ports) => nothing(kernel.evtchn.unmask(session, file, ports)),
  },
  'evtchn.reset': {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.evtchn.reset(session, ...args)),
  },
  'evtchn.close': {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.evtchn.close(session, ...args)),
  },
}
