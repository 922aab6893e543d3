import type { Socket } from 'node:net'
import { MAX_PAYLOAD, MessageReader, OversizeMessage, type StoreMessage } from '../../drivers/xenbus/wire.js'
import { Refusal } from '../kernel/xenstore/refusal.js'
import type { StoreClient } from '../kernel/xenstore/store-client.js'
import type { Hypervisor } from '../kernel/xenstore/store-domains.js'
import type { Flavour } from '../kernel/xenstore/store-rules.js'
import { type StoreTransport, Xenstored } from '../kernel/xenstore/xenstored.js'

/** Bytes that may wait for a client before its requests do, and before it is taken for dead. */
const PATIENCE = 1 << 20
const MAX_WAITING = 64 << 20

export function startXenstored(hypervisor: Hypervisor, flavour: Flavour): Xenstored {
  return new Xenstored(hypervisor, flavour)
}

/**
 * Serves a client of the simulated xenstored until its connection closes. What it does wrong ends its own connection and
 * no other.
 *
 * @param domid 0 for a program next to xenstored, otherwise the domain that the client is
 */
export function serveStore(daemon: Xenstored, domid: number, socket: Socket): void {
  const reader = new MessageReader(MAX_PAYLOAD)
  const requests: StoreMessage[] = []
  let scheduled = false
  let broken = false

  const filled = () => {
    if (outbox.bytes > MAX_WAITING) socket.destroy()
    if (scheduled || socket.writableNeedDrain || socket.destroyed) return
    scheduled = true
    // Later: what one chunk of requests has for its answers leaves in one write.
    queueMicrotask(flush)
  }
  const connection = connect(daemon, domid, { filled, hangUp: () => socket.destroy() })
  if (connection === undefined) {
    socket.destroy()
    return
  }
  const { outbox } = connection

  const flush = () => {
    scheduled = false
    // What waits here stays in the outbox, where events that repeat become one.
    if (outbox.bytes > 0 && !socket.writableNeedDrain && !socket.destroyed) socket.write(outbox.take())
  }

  const isTooSlow = () => socket.writableNeedDrain && outbox.bytes > PATIENCE

  /** oxenstored carries out a request without a payload when more bytes come. */
  const isHeldBack = () =>
    daemon.flavour === 'ocaml' &&
    requests.length === 1 &&
    requests[0]!.payload.length === 0 &&
    reader.incomplete === 0

  const work = () => {
    while (requests.length > 0 && !isTooSlow() && !isHeldBack()) daemon.receive(connection, requests.shift()!)
    if (requests.length > 0 && isTooSlow()) socket.pause()
    else if (broken) socket.destroy()
    else socket.resume()
  }

  socket.on('data', (chunk) => {
    try {
      requests.push(...reader.push(chunk))
    } catch (error) {
      if (!(error instanceof OversizeMessage)) throw error
      // xenstored closes the connection, without an answer.
      requests.push(...error.before)
      broken = true
      socket.removeAllListeners('data')
    }
    work()
  })
  socket.on('drain', () => {
    flush()
    work()
  })
  // A client that was killed with a reply under way: 'close' follows.
  socket.on('error', () => {})
  socket.on('close', () => daemon.disconnect(connection))
}

/** @returns undefined for a domain that a program has released */
function connect(daemon: Xenstored, domid: number, transport: StoreTransport): StoreClient | undefined {
  try {
    return daemon.connect(domid === 0 ? undefined : domid, transport)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}
