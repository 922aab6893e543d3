import type { GntallocProtocol } from '../wire/gntalloc-protocol.js'
import { type Handlers, munmapAll, nothing } from './handler.js'

export const gntallocHandlers: Handlers<GntallocProtocol> = {
  'gntalloc.open': {
    arity: 1,
    run: ({ kernel, ioctlDelay }, session, args) => ({
      file: kernel.gntalloc.open(session, ...args),
      ioctlDelay,
    }),
  },
  'gntalloc.allocate': {
    arity: 4,
    run({ kernel }, session, args) {
      const { index, refs } = kernel.gntalloc.allocate(session, ...args)
      return { index, numbers: refs }
    },
  },
  'gntalloc.deallocate': {
    arity: 3,
    run: ({ kernel }, session, args) => nothing(kernel.gntalloc.deallocate(session, ...args)),
  },
  'gntalloc.setUnmapNotify': {
    arity: 4,
    run: ({ kernel }, session, args) => nothing(kernel.gntalloc.setUnmapNotify(session, ...args)),
  },
  'gntalloc.mmap': {
    arity: 3,
    run({ kernel }, session, args) {
      const { mapping, frames } = kernel.gntalloc.mmap(session, ...args)
      return { mapping, numbers: frames }
    },
  },
  'gntalloc.munmap': {
    arity: 0,
    run: ({ kernel }, session, _args, pieces) =>
      munmapAll((...piece) => kernel.gntalloc.munmap(session, ...piece), pieces),
  },
  'gntalloc.limits': {
    arity: 1,
    run: ({ kernel }, session, args) => kernel.gntalloc.limits(session, ...args),
  },
  'gntalloc.domainExists': {
    arity: 1,
    run: ({ kernel }, _session, [domid]) => ({ exists: Number(kernel.domains.exists(domid)) }),
  },
  'gntalloc.close': {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.gntalloc.close(session, ...args)),
  },
}
