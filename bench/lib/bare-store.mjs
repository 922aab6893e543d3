// The least a Node client of xenstored can do: bytes that were prepared are written, and replies counted.
import { once } from 'node:events'
import { connect } from 'node:net'

const HEADER = 16

export class BareStore {
  #socket
  #request
  #buffer = Buffer.allocUnsafeSlow(64 << 10)

  static async open(path, node) {
    const store = new BareStore()
    store.#request = Buffer.alloc(HEADER + node.length + 1)
    store.#request.writeUInt32LE(2, 0)
    store.#request.writeUInt32LE(node.length + 1, 12)
    store.#request.write(node, HEADER)
    const onread = { buffer: store.#buffer, callback: (length) => store.#read(length) }
    store.#socket = connect({ path, onread })
    await once(store.#socket, 'connect')
    return store
  }

  #replies = () => {}
  #rest = 0
  #reply = 0

  /** Reads the node so often, with so many requests in flight. */
  async read(times, inFlight) {
    const requests = Buffer.concat(Array.from({ length: inFlight }, () => this.#request))
    const { length } = this.#request
    let left = times
    await new Promise((resolve) => {
      let sent = inFlight
      this.#replies = (count) => {
        left -= count
        const more = Math.min(count, times - sent)
        sent += more
        if (more > 0) this.#socket.write(requests.subarray(0, more * length))
        if (left === 0) resolve()
      }
      this.#socket.write(requests)
    })
  }

  /** All replies are of one length, which the first tells. */
  #read(length) {
    if (this.#reply === 0) this.#reply = HEADER + this.#buffer.readUInt32LE(12)
    this.#rest += length
    const count = Math.floor(this.#rest / this.#reply)
    this.#rest -= count * this.#reply
    this.#replies(count)
    return true
  }

  close() {
    this.#socket.destroy()
  }
}
