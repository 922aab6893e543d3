import { bytesOf, numbersOf } from '../wire/byte-message.js'
import type { XenbusProtocol } from '../wire/xenbus-protocol.js'
import { type Handlers, Later, nothing } from './handler.js'

export const xenbusHandlers: Handlers<XenbusProtocol> = {
  'xenbus.open': {
    arity: 1,
    run: ({ kernel, ioctlDelay }, session, args) => ({
      file: kernel.xenbus.open(session, ...args),
      ioctlDelay,
    }),
  },
  'xenbus.join': {
    arity: 1,
    run({ kernel, ioctlDelay }, session, [file]) {
      kernel.xenbus.join(session, file)
      return { file, ioctlDelay }
    },
  },
  'xenbus.write': {
    arity: 2,
    run: ({ kernel }, session, [file, length], numbers) =>
      nothing(kernel.xenbus.write(session, file, bytesOf(numbers, length))),
  },
  'xenbus.read': {
    arity: 1,
    run({ kernel }, session, args) {
      const bytes = kernel.xenbus.read(session, ...args)
      return { length: bytes.length, numbers: numbersOf(bytes) }
    },
  },
  'xenbus.wait': {
    arity: 1,
    run: ({ kernel }, session, [file]) => new Later((done) => kernel.xenbus.wait(session, file, done)),
  },
  'xenbus.close': {
    arity: 1,
    run: ({ kernel }, session, args) => nothing(kernel.xenbus.close(session, ...args)),
  },
}
