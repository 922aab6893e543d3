import type { GntdevProtocol } from '../wire/gntdev-protocol.js'
import { type Handlers, munmapAll, nothing } from './handler.js'

export const gntdevHandlers: Handlers<GntdevProtocol> = {
  'gntdev.open': {
    arity: 1,
    run: ({ kernel, ioctlDelay }, session, args) => ({
      file: kernel.gntdev.open(session, ...args),
      ioctlDelay,
    }),
  },
  'gntdev.map': {
    arity: 1,
    run: ({ kernel }, session, [file], pairs) => ({ index: kernel.gntdev.map(session, file, pairs) }),
  },
  'gntdev.mmap': {
    arity: 4,
    run({ kernel }, session, [file, index, count, writable]) {
      const { mapping, frames } = kernel.gntdev.mmap(session, file, index, count, writable !== 0)
      return { mapping, numbers: frames }
    },
  },
  'gntdev.munmap': {
    arity: 0,
    run: ({ kernel }, session, _args, pieces) =>
      munmapAll((...piece) => kernel.gntdev.munmap(session, ...piece), pieces),
  },
  'gntdev.unmap': {
    arity: 3,
    run: ({ kernel }, session, args) => nothing(kernel.gntdev.unmap(session, ...args)),
  },
  'gntdev.setUnmapNotify': {
    arity: 4,
    run: ({ kernel }, session, args) => nothing(kernel.gntdev.setUnmapNotify(session, ...args)),
  },
  'gntdev.copy': {
    arity: 1,
    run: ({ kernel }, session, [file], numbers) => ({ numbers: kernel.gntdev.copy(session, file, numbers) }),
  },
  'gntdev.close': {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.gntdev.close(session, ...args)),
  },
}
