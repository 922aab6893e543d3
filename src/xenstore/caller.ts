import { Buffer } from 'node:buffer'
import { Header } from '../drivers/xenbus/wire.js'
import type { StoreRequest } from './pending-request.js'
import type { StoreConnection } from './store-connection.js'
import { protocolError, type Subject } from './store-error.js'

/** A request, but for who makes it. Its message is made by {@link strings} or {@link withBytes}. */
export type Call = Omit<StoreRequest, 'transactionId' | 'lane' | 'late'>

/** Who makes requests: the store itself, or one transaction. */
export interface Caller {
  /** Bytes after the header that a request can have. */
  readonly maxPayload: number
  /**
   * @returns what follows the header of the reply
   * @throws XenStoreError; the signal's reason
   */
  call(call: Call): Promise<Buffer>
}

/** Requests outside any transaction. */
export class StoreCaller implements Caller {
  readonly #connection: StoreConnection
  readonly #lane = {}

  constructor(connection: StoreConnection) {
    this.#connection = connection
  }

  get maxPayload(): number {
    return this.#connection.maxPayload
  }

  call(call: Call): Promise<Buffer> {
    return this.#connection.request(requestOf(call, call.subject, 0, this.#lane))
  }
}

/** Field by field: to spread one object into another takes a good part of what a request takes. */
export function requestOf(
  { type, message, signal, mayBeUnreadable }: Call,
  subject: Subject,
  transactionId: number,
  lane: object,
): StoreRequest {
  return { type, message, transactionId, subject, lane, signal, mayBeUnreadable }
}

/** A request but for its header, for which it has room: strings, each with a final NUL. All are ASCII: paths, tokens, numbers. */
export function strings(...texts: readonly string[]): Buffer {
  return withBytes(texts.join('\0'), NOTHING)
}

/** The same, of one string and whatever bytes after its NUL. */
export function withBytes(text: string, bytes: Uint8Array): Buffer {
  const end = Header.size + text.length
  const message = Buffer.allocUnsafe(end + 1 + bytes.byteLength)
  message.write(text, Header.size, 'latin1')
  message[end] = 0
  if (bytes.byteLength > 0) message.set(bytes, end + 1)
  return message
}

const NOTHING = new Uint8Array()

/** @throws XenStoreError for anything but the OK of xenstored */
export function expectOk(answer: Buffer, subject: Subject): void {
  if (answer.length === 3 && answer.toString('latin1') === 'OK\0') return
  throw protocolError('xenstored answers neither OK nor an error', subject)
}

/** The one string of an answer, without its final NUL. */
export function textOf(answer: Buffer, subject: Subject): string {
  const end = answer.indexOf(0)
  if (end !== answer.length - 1)
    throw protocolError('xenstored answers with something else than one string', subject)
  return answer.toString('latin1', 0, end)
}

/** The strings of an answer, each with a final NUL. */
export function stringsOf(answer: Buffer, subject: Subject): string[] {
  if (answer.length === 0) return []
  if (answer.at(-1) !== 0) throw protocolError('xenstored answers with a string that does not end', subject)
  return answer.toString('latin1', 0, answer.length - 1).split('\0')
}
