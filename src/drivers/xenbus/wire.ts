import { Buffer } from 'node:buffer'
/**
 * The messages of xenstored, on its socket and on /dev/xen/xenbus alike. Source: `xen/include/public/io/xs_wire.h` and
 * `docs/misc/xenstore.txt` of Xen.
 */

/** `enum xsd_sockmsg_type`. The value is the type in the header; a reply repeats that of its request, or is an ERROR. */
export const MessageType = {
  control: 0,
  directory: 1,
  read: 2,
  getPerms: 3,
  watch: 4,
  unwatch: 5,
  transactionStart: 6,
  transactionEnd: 7,
  introduce: 8,
  release: 9,
  getDomainPath: 10,
  write: 11,
  mkdir: 12,
  rm: 13,
  setPerms: 14,
  watchEvent: 15,
  error: 16,
  isDomainIntroduced: 17,
  resume: 18,
  setTarget: 19,
  restrict: 20,
  resetWatches: 21,
  directoryPart: 22,
} as const

/** `struct xsd_sockmsg`: four 32-bit integers in the byte order of the machine, which is little-endian wherever Xen runs. */
export const Header = { size: 16, type: 0, requestId: 4, transactionId: 8, length: 12 } as const

/** XENSTORE_PAYLOAD_MAX: bytes after the header, in either direction. */
export const MAX_PAYLOAD = 4096

export interface StoreMessage {
  type: number
  requestId: number
  transactionId: number
  payload: Buffer
}

/** @throws nothing: what may be sent is checked by whoever makes the message */
export function encodeMessage({ type, requestId, transactionId, payload }: StoreMessage): Buffer {
  const message = Buffer.allocUnsafe(Header.size + payload.byteLength)
  message.set(payload, Header.size)
  setHeader(message, type, requestId, transactionId)
  return message
}

/** Completes a message that has its payload behind room for the header. */
export function setHeader(message: Buffer, type: number, requestId: number, transactionId: number): void {
  message.writeUInt32LE(type, Header.type)
  message.writeUInt32LE(requestId, Header.requestId)
  message.writeUInt32LE(transactionId, Header.transactionId)
  message.writeUInt32LE(message.byteLength - Header.size, Header.length)
}

const NOTHING = Buffer.alloc(0)

/** A header that announces more than there may be: what follows it cannot be told apart any more. */
export class OversizeMessage extends RangeError {
  /** The messages before it, which came with it. */
  readonly before: readonly StoreMessage[]

  constructor(length: number, maxPayload: number, before: readonly StoreMessage[]) {
    super(`a message of ${length} bytes, where ${maxPayload} are the most`)
    this.before = before
  }
}

/** A message of which the header has come, and some of the payload. */
interface Begun {
  message: StoreMessage
  filled: number
}

/**
 * Cuts a stream of bytes into messages, however it was split up on the way: xenstored writes a header and its payload one by one.
 * What it hands out is a copy of its own, so it may be kept.
 */
export class MessageReader {
  readonly #maxPayload: number
  /** Of the next message, as far as it has come. */
  readonly #header = Buffer.allocUnsafeSlow(Header.size)
  #headerBytes = 0
  #begun: Begun | undefined

  /** @param maxPayload a header that announces more ends the stream: what follows cannot be told apart any more */
  constructor(maxPayload: number) {
    this.#maxPayload = maxPayload
  }

  /** Bytes of a message that has not come whole. */
  get incomplete(): number {
    return this.#begun ? Header.size + this.#begun.filled : this.#headerBytes
  }

  /**
   * @param length of what has come, from the beginning of `chunk`. Default: all of it
   * @returns the messages that are complete now
   * @throws OversizeMessage when a header announces more than `maxPayload` bytes: nothing more can be read of the stream
   */
  push(chunk: Uint8Array, length = chunk.byteLength): StoreMessage[] {
    const messages: StoreMessage[] = []
    let at = 0
    while (at < length) {
      let begun = this.#begun
      if (!begun) {
        at = this.#readHeader(chunk, at, length)
        if (this.#headerBytes < Header.size) break
        begun = this.#begin(messages)
      }
      const { payload } = begun.message
      const end = Math.min(length, at + payload.byteLength - begun.filled)
      copy(chunk, at, end, payload, begun.filled)
      begun.filled += end - at
      at = end
      if (begun.filled < payload.byteLength) break
      this.#begun = undefined
      messages.push(begun.message)
    }
    return messages
  }

  /** @returns where it ends in the chunk, if it does */
  #readHeader(chunk: Uint8Array, at: number, length: number): number {
    const end = Math.min(length, at + Header.size - this.#headerBytes)
    copy(chunk, at, end, this.#header, this.#headerBytes)
    this.#headerBytes += end - at
    return end
  }

  #begin(before: readonly StoreMessage[]): Begun {
    const header = this.#header
    const length = header.readUInt32LE(Header.length)
    if (length > this.#maxPayload) throw new OversizeMessage(length, this.#maxPayload, before)
    this.#headerBytes = 0
    const message = {
      type: header.readUInt32LE(Header.type),
      requestId: header.readUInt32LE(Header.requestId),
      transactionId: header.readUInt32LE(Header.transactionId),
      payload: length === 0 ? NOTHING : Buffer.allocUnsafe(length),
    }
    this.#begun = { message, filled: 0 }
    return this.#begun
  }
}

/** Most values are shorter: for them a loop is quicker than a view of what is to be copied. */
const SHORT = 64

function copy(from: Uint8Array, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > SHORT) to.set(from.subarray(start, end), at)
  else for (let i = start; i < end; i++) to[at + i - start] = from[i]!
}
