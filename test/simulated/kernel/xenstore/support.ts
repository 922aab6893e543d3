import { MessageReader, MessageType } from '../../../../src/drivers/xenbus/wire.js'
import type { StoreClient } from '../../../../src/simulated/kernel/xenstore/store-client.js'
import type { Flavour } from '../../../../src/simulated/kernel/xenstore/store-rules.js'
import { Xenstored } from '../../../../src/simulated/kernel/xenstore/xenstored.js'

export { MessageType as Type }

/** A xenstored without a socket, and domains that come and go. */
export class TestStore {
  readonly daemon: Xenstored
  readonly domains = new Set([0])

  constructor(flavour: Flavour = 'c') {
    this.daemon = new Xenstored({ exists: (domid) => this.domains.has(domid) }, flavour)
  }

  /** A program next to xenstored. */
  program(): TestClient {
    return new TestClient(this.daemon, undefined)
  }

  /** A new domain, introduced. */
  guest(domid: number): TestClient {
    this.domains.add(domid)
    this.daemon.introduce(domid)
    return this.ring(domid)
  }

  ring(domid: number): TestClient {
    return new TestClient(this.daemon, domid)
  }

  destroy(domid: number): void {
    this.domains.delete(domid)
    this.daemon.domainDied(domid)
  }
}

/** Asks, and is answered at once: with the payload as text, or with the name of the error. */
export class TestClient {
  readonly connection: StoreClient
  readonly #daemon: Xenstored
  readonly #reader = new MessageReader(1 << 20)
  hungUp = false
  transaction = 0

  constructor(daemon: Xenstored, domid: number | undefined) {
    this.#daemon = daemon
    const hangUp = () => {
      this.hungUp = true
    }
    this.connection = daemon.connect(domid, { filled() {}, hangUp })
  }

  /** @returns the reply; events stay for {@link events} */
  ask(type: number, payload: string, transactionId = this.transaction): string {
    const request = { type, requestId: 1, transactionId, payload: Buffer.from(payload, 'latin1') }
    this.#daemon.receive(this.connection, request)
    const [reply] = this.#messages().filter((message) => message.type !== MessageType.watchEvent)
    const text = reply!.payload.toString('latin1')
    return reply!.type === MessageType.error ? text.slice(0, -1) : text
  }

  /** The order in which everything has come since the last time: 'reply', or the path and token of an event. */
  order(): string[] {
    return this.#messages().map(({ type, payload }) =>
      type === MessageType.watchEvent ? eventText(payload) : 'reply',
    )
  }

  readonly #kept: string[] = []

  events(): string[] {
    this.#messages()
    return this.#kept.splice(0)
  }

  read = (path: string) => this.ask(MessageType.read, `${path}\0`)
  list = (path: string) => this.ask(MessageType.directory, `${path}\0`).split('\0').slice(0, -1)
  write = (path: string, value = '') => this.ask(MessageType.write, `${path}\0${value}`)
  mkdir = (path: string) => this.ask(MessageType.mkdir, `${path}\0`)
  remove = (path: string) => this.ask(MessageType.rm, `${path}\0`)
  permissions = (path: string) => this.ask(MessageType.getPerms, `${path}\0`)
  allow = (path: string, ...entries: string[]) =>
    this.ask(MessageType.setPerms, `${[path, ...entries].join('\0')}\0`)
  watch = (path: string, token = 't') => this.ask(MessageType.watch, `${path}\0${token}\0`)
  unwatch = (path: string, token = 't') => this.ask(MessageType.unwatch, `${path}\0${token}\0`)

  /** What is asked from now on is part of a transaction. @returns its id, or the name of the error */
  begin(): string {
    const id = this.ask(MessageType.transactionStart, '\0', 0)
    if (id.endsWith('\0')) this.transaction = Number.parseInt(id, 10)
    return id
  }

  commit(how = 'T'): string {
    const answer = this.ask(MessageType.transactionEnd, `${how}\0`)
    this.transaction = 0
    return answer
  }

  close(): void {
    this.#daemon.disconnect(this.connection)
  }

  #messages() {
    const messages = this.#reader.push(this.connection.outbox.take())
    for (const { type, payload } of messages)
      if (type === MessageType.watchEvent) this.#kept.push(eventText(payload))
    return messages
  }
}

/** `path token` of an event. */
export function eventText(payload: Buffer): string {
  return payload.toString('latin1').slice(0, -1).replace('\0', ' ')
}
