import type { Buffer } from 'node:buffer'
import { MessageType } from '../drivers/xenbus/wire.js'
import { type Call, type Caller, expectOk, requestOf, strings, textOf } from './caller.js'
import { parseInteger } from './numbers.js'
import type { StoreConnection } from './store-connection.js'
import { describe, protocolError, XenStoreError } from './store-error.js'

const MAX_ID = 0xffff_ffff

/** A transaction that xenstored has begun, and what can be asked in it until it is ended. */
export class OpenTransaction implements Caller {
  readonly #connection: StoreConnection
  readonly #id: number
  /** Its requests are sent in order, the end last. */
  readonly #lane = {}
  #ended = false

  private constructor(connection: StoreConnection, id: number) {
    this.#connection = connection
    this.#id = id
  }

  /**
   * @param abandoned called if the signal comes first, when what may have been begun all the same has been ended
   * @throws XenStoreError; the signal's reason
   */
  static async begin(
    connection: StoreConnection,
    signal: AbortSignal | undefined,
    abandoned: () => void,
  ): Promise<OpenTransaction> {
    const answer = await connection.request({
      type: MessageType.transactionStart,
      // An empty payload would leave oxenstored waiting for more.
      message: strings(''),
      transactionId: 0,
      subject: { operation: 'transaction' },
      lane: {},
      signal,
      late: (answer) => void OpenTransaction.#endLate(connection, answer).then(abandoned, abandoned),
    })
    return new OpenTransaction(connection, idOf(answer))
  }

  /** No caller waits for it any more: left alone, it would count against the domain until the connection ends. */
  static async #endLate(connection: StoreConnection, answer: Buffer | undefined): Promise<void> {
    if (answer) await new OpenTransaction(connection, idOf(answer)).end(false)
  }

  get maxPayload(): number {
    return this.#connection.maxPayload
  }

  get ended(): boolean {
    return this.#ended
  }

  async call(call: Call): Promise<Buffer> {
    const subject = { ...call.subject, transaction: this.#id }
    if (this.#ended)
      throw new XenStoreError(
        'ERR_GRANTS_CLOSED',
        `${describe(subject)}: the transaction has ended already`,
        subject,
      )
    return this.#connection.request(requestOf(call, subject, this.#id, this.#lane))
  }

  /**
   * Nothing can be asked in it any more; what has been asked comes before the end.
   * @param commit whether all are to see what it has written
   * @throws XenStoreError
   */
  async end(commit: boolean): Promise<void> {
    this.#ended = true
    const subject = { operation: 'transaction', transaction: this.#id }
    const answer = await this.#connection.request({
      type: MessageType.transactionEnd,
      message: strings(commit ? 'T' : 'F'),
      transactionId: this.#id,
      subject,
      lane: this.#lane,
    })
    expectOk(answer, subject)
  }
}

/** @throws XenStoreError: 0 above all would be no transaction, and its end one that the Linux device never answers */
function idOf(answer: Buffer): number {
  const subject = { operation: 'transaction' }
  const id = parseInteger(textOf(answer, subject), 1, MAX_ID)
  if (id === undefined)
    throw protocolError('xenstored answers with what is no number of a transaction', subject)
  return id
}
