import { join } from 'node:path'
import { BlockingSocket } from './blocking-socket.js'
import { decodeBody, decodeLength, encode } from './codec.js'
import { type Call, type Calls, decodeResult, files } from './protocol.js'

/** A session of the thread's own: each request blocks the thread until the host has answered. */
export class BlockingConnection {
  readonly #path: string
  readonly #socket: BlockingSocket
  #lastId = 0

  /** @param path the directory of the simulated Xen. @throws GrantError ENOENT, ECONNREFUSED */
  constructor(path: string) {
    this.#path = path
    this.#socket = new BlockingSocket(join(path, files.socket))
  }

  /** @throws GrantError the call's own errors, ECONNRESET if the simulated Xen has gone */
  request<K extends Call>(
    call: K,
    ...[args, numbers]: Calls[K]['args'] extends []
      ? [args?: [], numbers?: Uint32Array]
      : [args: Calls[K]['args'], numbers?: Uint32Array]
  ): Calls[K]['result'] {
    const id = ++this.#lastId
    this.#socket.send(encode({ id, call, args: args ?? [] }, numbers))
    const body = this.#socket.receive(decodeLength(this.#socket.receive(4)))
    return decodeResult<K>(id, decodeBody(body), this.#path)
  }

  close(): void {
    this.#socket.close()
  }
}
