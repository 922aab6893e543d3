import { once } from 'node:events'
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { Op, type Reply, type SessionEvent } from '../../dist/src/grants/grant-messages.js'

/** What the device worker answered to one request. */
export type Answer = 'ok' | string

/** Beyond the numbers that tests give to requests. */
const OWN_REQUESTS = 2 ** 40

/** Somebody who has got hold of a port and speaks the actor's protocol, or something like it, by hand. */
export class RawClient {
  readonly port: MessagePort
  readonly closed: Promise<unknown>
  /** By the number of the request. */
  readonly #answers = new Map<number, Answer>()
  #answered = (): void => {}
  #next = OWN_REQUESTS

  constructor(port: MessagePort) {
    this.port = port
    // By which our clients know a port of the server's.
    receiveMessageOnPort(port)
    this.closed = once(port, 'close')
    port.on('message', (event: Reply | SessionEvent) => {
      if (!Array.isArray(event)) return
      const [done, , failed = []] = event
      for (let at = 0; at < done.length; at += 2 + done[at + 1]!) this.#answers.set(done[at]!, 'ok')
      for (const { requestId, error } of failed) this.#answers.set(requestId, codeOf(error))
      this.#answered()
    })
  }

  /** Begins as every client does. */
  static async greeted(port: MessagePort): Promise<RawClient> {
    const client = new RawClient(port)
    const welcome = once(port, 'message')
    port.postMessage('hello')
    await welcome
    return client
  }

  /** The port of comlink's, as every client asks for it. */
  calls(): MessagePort {
    const { port1, port2 } = new MessageChannel()
    this.port.postMessage({ calls: port2 }, [port2])
    return port1
  }

  /** @returns what became of each request, by its number; of those that wait, nothing */
  async submit(numbers: readonly number[]): Promise<Map<number, Answer>> {
    this.#answers.clear()
    this.port.postMessage([...numbers])
    // The first is answered in the turn of the last of them, the second in a later one: by then all answers are out.
    for (let i = 0; i < 2; i++) await this.#cancelNothing()
    return this.#answers
  }

  async #cancelNothing(): Promise<void> {
    const id = this.#next++
    this.port.postMessage([id, Op.cancel, 0, 0, 0, 0])
    while (!this.#answers.delete(id))
      await new Promise<void>((resolve) => {
        this.#answered = resolve
      })
  }

  async close(): Promise<void> {
    this.port.close()
    await this.closed
  }
}

/** The error class is the envelope's business; the code is in there somewhere. */
function codeOf(envelope: object): string {
  const found = JSON.stringify(envelope).match(/"code":"([A-Z_0-9]+)"/)
  return found?.[1] ?? 'no code'
}
