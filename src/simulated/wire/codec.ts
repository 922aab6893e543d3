import { Buffer } from 'node:buffer'
import { GrantError, type GrantErrorFields } from '../../errors.js'

/**
 * What travels over control.sock, either way: u32 length of the rest, u32 length of the head, the head as JSON, and
 * u32 numbers up to the end; all little-endian. References and frames come by the hundred thousand, so they are the
 * numbers, and JSON holds only what is small.
 */
export interface Message {
  head: unknown
  numbers: Uint32Array
}

const WORD = 4

/** Longest message: more than all the references of the largest table. */
export const MAX_MESSAGE = 256 * 1024 * 1024

export function encode(head: unknown, numbers: Uint32Array = new Uint32Array(0)): Buffer {
  const json = Buffer.from(JSON.stringify(head))
  const message = Buffer.allocUnsafe(2 * WORD + json.length + numbers.byteLength)
  message.writeUInt32LE(message.length - WORD, 0)
  message.writeUInt32LE(json.length, WORD)
  json.copy(message, 2 * WORD)
  message.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), 2 * WORD + json.length)
  return message
}

/** Longest head: those of requests are a name and some integers, and an error's message is not much longer. */
const MAX_HEAD = 64 * 1024

/** @throws GrantError ERR_GRANTS_PROTOCOL */
export function decodeLength(prefix: Buffer): number {
  const length = prefix.readUInt32LE(0)
  if (length < WORD || length > MAX_MESSAGE) throw protocolError(`a message of ${length} bytes`)
  return length
}

/** @param body a message without its length. @throws GrantError ERR_GRANTS_PROTOCOL */
export function decodeBody(body: Buffer): Message {
  const headLength = body.readUInt32LE(0)
  const jsonEnd = WORD + headLength
  if (jsonEnd > body.length || (body.length - jsonEnd) % WORD !== 0)
    throw protocolError('a message whose parts do not add up')
  if (headLength > MAX_HEAD) throw protocolError(`a message with a head of ${headLength} bytes`)
  // A copy of its own, because a Uint32Array must begin at a multiple of 4.
  const numbers = new Uint32Array(Uint8Array.prototype.slice.call(body, jsonEnd).buffer)
  try {
    return { head: JSON.parse(body.toString('utf8', WORD, jsonEnd)), numbers }
  } catch (cause) {
    throw protocolError('a message that is not JSON', cause)
  }
}

/** Cuts a stream into messages. */
export class Decoder {
  #chunks: Buffer[] = []
  #buffered = 0
  /** Bytes of the message being received, its length included. */
  #wanted = 0;

  /** @returns the messages this chunk completes. @throws GrantError ERR_GRANTS_PROTOCOL */
  *push(chunk: Buffer): Generator<Message> {
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
    while (this.#buffered >= Math.max(this.#wanted, WORD)) {
      const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      this.#chunks = [all]
      this.#wanted = WORD + decodeLength(all)
      if (this.#buffered < this.#wanted) return
      const body = all.subarray(WORD, this.#wanted)
      this.#chunks = [all.subarray(this.#wanted)]
      this.#buffered -= this.#wanted
      this.#wanted = 0
      yield decodeBody(body)
    }
  }
}

export function protocolError(what: string, cause?: unknown): GrantError {
  const message = `The simulated Xen got ${what}: do both sides run the same version of xen-grants?`
  return new GrantError('ERR_GRANTS_PROTOCOL', message, { cause })
}

/** An error as data: structured cloning and JSON keep neither its class nor its fields. */
export interface WireError extends Omit<GrantErrorFields, 'cause'> {
  code: string
  message: string
}

export function errorToWire({
  code,
  message,
  errno,
  syscall,
  path,
  domid,
  pages,
  reason,
}: GrantError): WireError {
  // JSON leaves out what is undefined.
  return { code, message, errno, syscall, path, domid, pages, reason } as WireError
}

export function errorFromWire({ code, message, ...fields }: WireError): GrantError {
  return new GrantError(code, message, fields)
}
