import { once } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'

/** What the device worker answered to one request. */
export type Answer = 'ok' | string

/** Somebody who has got hold of a port and speaks the actor's protocol, or something like it, by hand. */
export class RawClient {
  readonly port: MessagePort
  readonly closed: Promise<unknown>
  readonly events: unknown[] = []
  readonly #calls = new Map<string, (reply: unknown) => void>()
  #events: MessagePort | undefined
  #next = 1

  constructor(port: MessagePort) {
    this.port = port
    this.closed = once(port, 'close')
    port.on('message', (message: { id: string }) => {
      this.#calls.get(message.id)?.(message)
      this.#calls.delete(message.id)
    })
  }

  /** Begins as every client does. */
  static async greeted(port: MessagePort): Promise<RawClient> {
    const client = new RawClient(port)
    const { port1, port2 } = new MessageChannel()
    client.#events = port1
    void client.closed.then(() => port1.close())
    port1.on('message', (event) => client.events.push(event))
    const welcome = once(port1, 'message')
    port.postMessage({ type: 'hello', events: port2 }, [port2])
    await welcome
    return client
  }

  /** A call as comlink makes it, with whatever else. */
  send(message: object = {}): string {
    const id = `raw-${this.#next++}`
    this.port.postMessage({ id, type: 'APPLY', path: ['submit'], argumentList: [], ...message })
    return id
  }

  /** @returns what became of each request, by its number */
  async submit(numbers: readonly number[]): Promise<Map<number, Answer>> {
    const value = Float64Array.from(numbers)
    const id = this.send({ argumentList: [{ type: 'RAW', value }] })
    const reply = (await new Promise<unknown>((resolve) => this.#calls.set(id, resolve))) as {
      value: { done: Float64Array; failed: { requestId: number; error: { code?: string } }[] }
    }
    const { done, failed } = reply.value
    const answers = new Map<number, Answer>()
    for (let at = 0; at < done.length; at += 2 + done[at + 1]!) answers.set(done[at]!, 'ok')
    for (const { requestId, error } of failed) answers.set(requestId, codeOf(error))
    return answers
  }

  async close(): Promise<void> {
    this.port.close()
    this.#events?.close()
    await this.closed
  }
}

/** The error class is the envelope's business; the code is in there somewhere. */
function codeOf(envelope: object): string {
  const found = JSON.stringify(envelope).match(/"code":"([A-Z_0-9]+)"/)
  return found?.[1] ?? 'no code'
}
