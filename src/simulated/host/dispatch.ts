import type { Buffer } from 'node:buffer'
import { GrantError } from '../../errors.js'
import type { Session } from '../kernel/session.js'
import { encode, errorToWire, type Message, protocolError } from '../wire/codec.js'
import { type Call, type Calls, encodeResult, type ReplyHead } from '../wire/protocol.js'
import { domainHandlers } from './domain-handlers.js'
import { evtchnHandlers } from './evtchn-handlers.js'
import { gntallocHandlers } from './gntalloc-handlers.js'
import { gntdevHandlers } from './gntdev-handlers.js'
import { type Handlers, Later, type Machine } from './handler.js'
import { xenHandlers } from './xen-handlers.js'
import { xenbusHandlers } from './xenbus-handlers.js'

const handlers: Handlers<Calls> = {
  ...gntallocHandlers,
  ...gntdevHandlers,
  ...evtchnHandlers,
  ...xenbusHandlers,
  ...domainHandlers,
  ...xenHandlers,
}

/**
 * Does what a message asks for.
 * @param reply gets the encoded reply, mostly at once. A failed call is a reply too.
 * @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function answer(
  machine: Machine,
  session: Session,
  { head, numbers }: Message,
  reply: (message: Buffer) => void,
): void {
  const { id, call, args } = checkRequest(head)
  try {
    machine.faults.check(call)
    // checkRequest has found the number of integers that the tuple type wants.
    const run = handlers[call].run as (...all: unknown[]) => { numbers?: Uint32Array } | Later
    const result = run(machine, session, args, numbers)
    if (result instanceof Later) result.start(() => reply(encodeResult(id, {})))
    else reply(encodeResult(id, result))
  } catch (error) {
    if (!(error instanceof GrantError) || error.code === 'ERR_GRANTS_PROTOCOL') throw error
    reply(encode({ id, error: errorToWire(error) } satisfies ReplyHead))
  }
}

function checkRequest(head: unknown): { id: number; call: Call; args: number[] } {
  if (typeof head !== 'object' || head === null) throw protocolError('a message that is no request')
  const { id, call, args } = head as Record<string, unknown>
  if (!Number.isSafeInteger(id)) throw protocolError('a request without a number')
  // Quoted only if it is short: what is not even a string may be nested deeper than the stack.
  if (typeof call !== 'string') throw protocolError('a request without a call')
  if (!Object.hasOwn(handlers, call))
    throw protocolError(`the unknown call ${JSON.stringify(call.slice(0, 100))}`)
  const { arity } = handlers[call as Call]
  if (!Array.isArray(args) || args.length !== arity || !args.every(isArgument))
    throw protocolError(`wrong arguments for ${call}`)
  return { id: id as number, call: call as Call, args }
}

function isArgument(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
