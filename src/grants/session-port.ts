import { MessageChannel, MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { invalidArgType, invalidArgValue } from '../arguments.js'

/** The first message in a port for a client, put there before anybody has it: only a port of ours that is unused holds it. */
const GREETING = 'xen-grants: a port for one client'

/**
 * Makes the line between a client and its device worker.
 * @param serve is given the device worker's end
 * @returns the client's
 */
export function openPort(serve: (port: MessagePort) => void): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port2.postMessage(GREETING)
  serve(port2)
  return port1
}

/** Of this thread. A port that is in use is not even looked into: what is in it is its client's. */
const claimed = new WeakSet<MessagePort>()

/**
 * From now on the port belongs to one client. Without this, one that nobody serves would never answer, and two clients on one
 * would take each other's answers.
 * @throws TypeError for anything else than an unused port of `server.connect()`
 */
export function claimPort(port: unknown): asserts port is MessagePort {
  if (!(port instanceof MessagePort))
    throw invalidArgType('port', 'a MessagePort from server.connect()', port)
  if (claimed.has(port)) {
    const why = 'already belongs to a client: call server.connect() once for each'
    throw invalidArgValue('port', why, port)
  }
  if (receiveMessageOnPort(port)?.message !== GREETING) {
    const why = 'must be what server.connect() returned, unused, of a server that is open'
    throw invalidArgValue('port', why, port)
  }
  claimed.add(port)
}
