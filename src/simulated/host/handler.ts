import type { Kernel } from '../kernel/kernel.js'
import type { Session } from '../kernel/session.js'
import type { Call, Calls } from '../wire/protocol.js'
import type { Nothing } from '../wire/replies.js'
import type { Faults } from './faults.js'
import type { StoreSockets } from './store-sockets.js'

/** What the calls work on. */
export interface Machine {
  readonly kernel: Kernel
  readonly ioctlDelay: number
  readonly faults: Faults
  readonly stores: StoreSockets
}

/** An answer that has to wait. */
export class Later {
  constructor(readonly start: (done: () => void) => void) {}
}

export interface Handler<K extends Call> {
  /** How many integers it takes: dispatch has checked that so many came. What they mean, nobody has. */
  arity: Calls[K]['args']['length']
  run(
    machine: Machine,
    session: Session,
    args: Calls[K]['args'],
    numbers: Uint32Array,
  ): Calls[K]['result'] | Later
}

/** How the calls of one kind are carried out. */
export type Handlers<Protocol extends Partial<Calls>> = { [K in keyof Protocol & Call]: Handler<K> }

export function nothing(_done: unknown): Nothing {
  return {}
}

/** Calls `munmap` for each of the pieces that a message brings. */
export function munmapAll(
  munmap: (mapping: number, first: number, count: number) => void,
  pieces: Uint32Array,
): Nothing {
  for (let at = 0; at + 2 < pieces.length; at += 3) munmap(pieces[at]!, pieces[at + 1]!, pieces[at + 2]!)
  return {}
}
