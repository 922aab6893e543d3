import { Buffer } from 'node:buffer'
import { GrantError } from '../errors.js'
import { copyInto } from '../memory/copy-bytes.js'

/** The other end, for errors. */
export interface Peer {
  readonly domid: number
  /** Of the keys, absolute. */
  readonly path: string
}

/**
 * One direction of a vchan: bytes in a circle, and two indexes that run freely through 32 bits. Each belongs to the end that
 * moves it, which keeps it to itself and only publishes it: what the other end writes over it is never read back.
 */
export interface RingMemory extends Peer {
  /** A power of two. */
  bytes: Uint8Array
  /**
   * The shared page as 32-bit words. Signed: above 2^31 others would be numbers of another kind to V8, which throws away what it
   * has compiled when it first meets one.
   */
  words: Int32Array
  /** Where among them the indexes are. */
  prod: number
  cons: number
}

/** The end that fills a ring. */
export class RingWriter {
  readonly #memory: RingMemory
  /** Bytes put so far, published or not. */
  #prod: number
  #published: number
  /** As last read, and found possible. */
  #cons: number

  /** @throws GrantError ERR_GRANTS_PROTOCOL when the indexes it begins with are impossible */
  constructor(memory: RingMemory) {
    this.#memory = memory
    this.#prod = Atomics.load(memory.words, memory.prod)
    this.#published = this.#prod
    this.#cons = Atomics.load(memory.words, memory.cons)
    const filled = (this.#prod - this.#cons) >>> 0
    if (filled > this.size) throw impossible(memory, 'begins with', this.#prod, this.#cons)
  }

  get size(): number {
    return this.#memory.bytes.length
  }

  /** Bytes there is room for. @throws GrantError ERR_GRANTS_PROTOCOL */
  space(): number {
    const { words, cons } = this.#memory
    const now = Atomics.load(words, cons)
    // It can only have moved on, and not beyond what it has been given.
    if ((now - this.#cons) >>> 0 > (this.#published - this.#cons) >>> 0)
      throw impossible(this.#memory, 'has moved cons in', this.#published, now)
    this.#cons = now
    return this.size - ((this.#prod - now) >>> 0)
  }

  /** Whether the other end has taken everything. @throws GrantError ERR_GRANTS_PROTOCOL */
  empty(): boolean {
    return this.space() === this.size
  }

  /** Copies as much as there is room for; the other end sees it once it is published. @returns how much */
  put(chunk: Uint8Array, from: number): number {
    const { bytes } = this.#memory
    const count = Math.min(chunk.length - from, this.space())
    if (count === 0) return 0
    const at = this.#prod & (bytes.length - 1)
    const first = Math.min(count, bytes.length - at)
    copyInto(bytes, from === 0 && first === chunk.length ? chunk : chunk.subarray(from, from + first), at)
    if (first < count) copyInto(bytes, chunk.subarray(from + first, from + count), 0)
    this.#prod = (this.#prod + count) | 0
    return count
  }

  /** @returns whether there was anything to publish */
  publish(): boolean {
    if (this.#prod === this.#published) return false
    const { words, prod } = this.#memory
    Atomics.store(words, prod, this.#prod)
    this.#published = this.#prod
    return true
  }
}

/** The end that empties a ring. */
export class RingReader {
  readonly #memory: RingMemory
  /** Bytes taken so far, published or not. */
  #cons: number
  #published: number
  /** As last read, and found possible. */
  #prod: number

  /** @throws GrantError ERR_GRANTS_PROTOCOL when the indexes it begins with are impossible */
  constructor(memory: RingMemory) {
    this.#memory = memory
    this.#cons = Atomics.load(memory.words, memory.cons)
    this.#published = this.#cons
    this.#prod = Atomics.load(memory.words, memory.prod)
    if ((this.#prod - this.#cons) >>> 0 > this.size)
      throw impossible(memory, 'begins with', this.#prod, this.#cons)
  }

  get size(): number {
    return this.#memory.bytes.length
  }

  /** Bytes there are to take. @throws GrantError ERR_GRANTS_PROTOCOL */
  ready(): number {
    const { words, prod } = this.#memory
    const now = Atomics.load(words, prod)
    // It can only have moved on, and not beyond the room it has been given.
    if ((now - this.#prod) >>> 0 > (this.#published + this.size - this.#prod) >>> 0)
      throw impossible(this.#memory, 'has moved prod in', now, this.#published)
    this.#prod = now
    return (now - this.#cons) >>> 0
  }

  /** A copy: what stays in the ring may still change. @param count no more than there was ready */
  take(count: number): Buffer {
    const { bytes } = this.#memory
    const at = this.#cons & (bytes.length - 1)
    const first = Math.min(count, bytes.length - at)
    const chunk = Buffer.allocUnsafe(count)
    copyInto(chunk, first === bytes.length ? bytes : bytes.subarray(at, at + first), 0)
    if (first < count) copyInto(chunk, bytes.subarray(0, count - first), first)
    this.#cons = (this.#cons + count) | 0
    return chunk
  }

  /** Bytes taken that the other end does not know of yet. */
  get unpublished(): number {
    return (this.#cons - this.#published) >>> 0
  }

  /** @returns whether there was anything to publish */
  publish(): boolean {
    if (this.#cons === this.#published) return false
    const { words, cons } = this.#memory
    Atomics.store(words, cons, this.#cons)
    this.#published = this.#cons
    return true
  }
}

function impossible(
  { domid, path, bytes }: RingMemory,
  what: string,
  prod: number,
  cons: number,
): GrantError {
  const indexes = `prod ${prod >>> 0}, cons ${cons >>> 0}`
  return new GrantError(
    'ERR_GRANTS_PROTOCOL',
    `domain ${domid} ${what} a ring of ${bytes.length} bytes of the vchan at ${path} what cannot be: ${indexes}`,
    { domid, path },
  )
}
