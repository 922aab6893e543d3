import type { StoreConnection } from './store-connection.js'
import { protocolError, type Subject } from './store-error.js'

/** Who makes requests: the store itself, or one transaction. */
export interface Caller {
  /** Bytes after the header that a request can have. */
  readonly maxPayload: number
  /** @returns what follows the header of the reply. @throws XenStoreError; the signal's reason */
  call(subject: Subject, request: CallRequest): Promise<Buffer>
}

export interface CallRequest {
  type: number
  payload: Buffer
  signal: AbortSignal | undefined
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

  call(subject: Subject, { type, payload, signal }: CallRequest): Promise<Buffer> {
    return this.#connection.request({ type, payload, transactionId: 0, subject, lane: this.#lane, signal })
  }
}

/** Each string with a final NUL. All of them are ASCII: paths, tokens, numbers. */
export function strings(...texts: readonly string[]): Buffer {
  return Buffer.from(`${texts.join('\0')}\0`, 'latin1')
}

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
