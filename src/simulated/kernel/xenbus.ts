import { Buffer } from 'node:buffer'
import { constants } from 'node:os'
import {
  Header,
  MAX_PAYLOAD,
  MessageReader,
  MessageType,
  type StoreMessage,
} from '../../drivers/xenbus/wire.js'
import { systemCallError } from '../../errors.js'
import { XenbusFile, type XenbusWatch } from './xenbus-file.js'
import type { StoreClient } from './xenstore/store-client.js'
import type { Xenstored } from './xenstore/xenstored.js'

const { E2BIG, EINVAL, ESRCH } = constants.errno

/** `sizeof(u->u.buffer)` of the driver: a request with its header. */
const BUFFER = MAX_PAYLOAD
const NOTHING = Buffer.alloc(0)

/**
 * xenbus_dev_frontend.c of Linux 6.1 in one domain: all files share one connection to xenstored, which is there as long as any
 * file is open. Requests are carried out at once here, so replies and events are in xenstored's order.
 */
export class XenbusDriver {
  readonly #daemon: Xenstored
  readonly #domid: number
  readonly #files = new Set<XenbusFile>()
  readonly #reader = new MessageReader(MAX_PAYLOAD)
  /** Whose the watches of the connection are, by the kernel's tokens. */
  readonly #watches = new Map<string, { file: XenbusFile; watch: XenbusWatch }>()
  #connection: StoreClient | undefined
  #lastToken = 0
  /** To the request that is being carried out. */
  #reply: StoreMessage | undefined

  constructor(daemon: Xenstored, domid: number) {
    this.#daemon = daemon
    this.#domid = domid
  }

  open(): XenbusFile {
    this.#connection ??= this.#daemon.connect(this.#domid, {
      filled: () => this.#receive(),
      hangUp: () => {
        this.#connection = undefined
      },
    })
    const file = new XenbusFile(this.#domid)
    this.#files.add(file)
    return file
  }

  /**
   * Carries out the request that is complete with these bytes. What comes after it in the same call is lost.
   * @throws GrantError EINVAL: more than fits. E2BIG: a header that announces more. For a watch: what xenstored says
   */
  write(file: XenbusFile, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const before = file.partial
    file.partial = NOTHING
    if (bytes.length > BUFFER - before.length)
      throw systemCallError(EINVAL, 'write', `writing more than the ${BUFFER} bytes of a request`)
    const all = Buffer.concat([before, bytes])
    const length = all.length < Header.size ? 0 : all.readUInt32LE(Header.length)
    const end = Header.size + length
    if (end > BUFFER) throw systemCallError(E2BIG, 'write', `a request with a payload of ${length} bytes`)
    if (all.length < end) {
      file.partial = all
      return
    }
    const type = all.readUInt32LE(Header.type)
    const request = {
      type,
      requestId: all.readUInt32LE(Header.requestId),
      transactionId: all.readUInt32LE(Header.transactionId),
      payload: all.subarray(Header.size, end),
    }
    if (type === MessageType.watch || type === MessageType.unwatch) this.#watch(file, request)
    else this.#passOn(file, request)
  }

  close(file: XenbusFile): void {
    file.close()
    this.#files.delete(file)
    // Gone with its domain, or released by a program.
    if (this.#connection === undefined) return
    for (const watch of file.watches) this.#forget(file, watch)
    for (const id of file.transactions) this.#ask(MessageType.transactionEnd, id, Buffer.from('F\0'))
    if (this.#files.size > 0) return
    this.#daemon.disconnect(this.#connection)
    this.#connection = undefined
  }

  /** The driver keeps books of its own of watches, and answers itself. A third string is not looked at. */
  #watch(file: XenbusFile, request: StoreMessage): void {
    const [path, token, rest] = request.payload.toString('latin1').split('\0')
    if (path === undefined || token === undefined || rest === undefined) {
      file.push({ ...request, type: MessageType.error, payload: Buffer.from('EINVAL\0') })
      return
    }
    if (request.type === MessageType.watch) this.#register(file, path, token)
    else {
      const isIt = (watch: XenbusWatch) => watch.path === path && watch.token === token
      const found = [...file.watches].find(isIt)
      // Also that there is no such watch is OK.
      if (found !== undefined) this.#forget(file, found)
    }
    file.push({ ...request, payload: Buffer.from('OK\0') })
  }

  #register(file: XenbusFile, path: string, token: string): void {
    this.#lastToken++
    const watch = { path, token, kernelToken: this.#lastToken.toString(16).toUpperCase() }
    // Its first event comes before this returns.
    this.#watches.set(watch.kernelToken, { file, watch })
    const payload = Buffer.from(`${path}\0${watch.kernelToken}\0`, 'latin1')
    const { type, payload: answer } = this.#ask(MessageType.watch, 0, payload)
    if (type === MessageType.watch) {
      file.watches.add(watch)
      return
    }
    this.#watches.delete(watch.kernelToken)
    const code = answer.toString('latin1').slice(0, -1)
    const [, errno = EINVAL] = Object.entries(constants.errno).find(([name]) => name === code) ?? []
    throw systemCallError(errno, 'write', `watching ${path}`)
  }

  #forget(file: XenbusFile, watch: XenbusWatch): void {
    file.watches.delete(watch)
    this.#watches.delete(watch.kernelToken)
    this.#ask(MessageType.unwatch, 0, Buffer.from(`${watch.path}\0${watch.kernelToken}\0`, 'latin1'))
  }

  #passOn(file: XenbusFile, request: StoreMessage): void {
    const { type, requestId, transactionId, payload } = request
    const refuse = (code: string) =>
      file.push({ ...request, type: MessageType.error, payload: Buffer.from(`${code}\0`) })
    const isStart = type === MessageType.transactionStart
    const isEnd = type === MessageType.transactionEnd
    if (!isStart && transactionId !== 0 && !file.transactions.has(transactionId)) {
      refuse('ENOENT')
      return
    }
    if (isEnd && !['T\0', 'F\0'].includes(payload.toString('latin1'))) {
      refuse('EINVAL')
      return
    }
    const reply = this.#ask(type, transactionId, payload)
    if (isStart && reply.type === type)
      file.transactions.add(Number.parseInt(reply.payload.toString('latin1'), 10))
    // The driver warns of the end of a transaction that there is not, and drops the reply.
    if (isEnd && !file.transactions.delete(transactionId)) return
    file.push({ ...reply, requestId })
  }

  #ask(type: number, transactionId: number, payload: Buffer): StoreMessage {
    if (this.#connection === undefined)
      throw systemCallError(ESRCH, 'write', `asking xenstored as domain ${this.#domid}`, {
        domid: this.#domid,
      })
    this.#daemon.receive(this.#connection, { type, requestId: 0, transactionId, payload })
    return this.#reply!
  }

  /** Replies and events of the connection. */
  #receive(): void {
    if (this.#connection === undefined) return
    for (const message of this.#reader.push(this.#connection.outbox.take())) {
      if (message.type !== MessageType.watchEvent) this.#reply = message
      else this.#tell(message)
    }
  }

  #tell(event: StoreMessage): void {
    const [path = '', kernelToken = ''] = event.payload.toString('latin1').split('\0')
    const found = this.#watches.get(kernelToken)
    if (found === undefined) return
    found.file.push({ ...event, payload: Buffer.from(`${path}\0${found.watch.token}\0`, 'latin1') })
  }
}
