import { Buffer } from 'node:buffer'
import {
  DIGEST_BYTES,
  type FileHeader,
  MAX_BLOCK,
  MAX_LINE,
  NEWLINE,
  parseHeader,
  protocol,
} from './file-header.js'

const LENGTH_BYTES = 4

/** Reads what a sender sends, from pieces of any size. Holds back no byte of the file, and no more of the rest than a line. */
export class FileParser {
  #header: FileHeader | undefined
  #digest: Buffer | undefined
  /** What has come of the line, the length or the SHA-256 that is being read. */
  #part: Buffer = Buffer.alloc(0)
  /** Bytes of the block that are to come. */
  #left = 0
  #bytes = 0
  #state: 'line' | 'length' | 'block' | 'digest' | 'done' = 'line'

  /** Known when the first line has come. */
  get header(): FileHeader | undefined {
    return this.#header
  }

  /** As the sender says. Known at the end, if it has promised one. */
  get digest(): Buffer | undefined {
    return this.#digest
  }

  /** Of the file, so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** All has come, and it is as long as it was to be. */
  get done(): boolean {
    return this.#state === 'done'
  }

  /**
   * Takes one piece.
   * @returns the bytes of the file in it, in parts of the piece itself
   * @throws GrantError ERR_GRANTS_PROTOCOL: this is no file, or more or less than the header has said
   */
  *push(piece: Buffer): Generator<Buffer, void, undefined> {
    let rest = piece
    while (rest.length > 0) {
      if (this.#state === 'block') {
        const bytes = rest.subarray(0, this.#left)
        rest = rest.subarray(bytes.length)
        this.#left -= bytes.length
        this.#bytes += bytes.length
        if (this.#left === 0) this.#state = 'length'
        yield bytes
      } else rest = this.#next(rest)
    }
  }

  #next(rest: Buffer): Buffer {
    switch (this.#state) {
      case 'line':
        return this.#line(rest)
      case 'length':
        return this.#whole(rest, LENGTH_BYTES, (part) => this.#block(part.readUInt32LE()))
      case 'digest':
        return this.#whole(rest, DIGEST_BYTES, (part) => {
          this.#digest = part
          this.#state = 'done'
        })
      default:
        throw protocol('the sender goes on after the end of the file')
    }
  }

  #line(rest: Buffer): Buffer {
    const end = rest.indexOf(NEWLINE)
    const count = end < 0 ? rest.length : end
    if (this.#part.length + count >= MAX_LINE) throw protocol('what the other end offers is no file')
    const part = Buffer.concat([this.#part, rest.subarray(0, count)])
    if (end < 0) {
      this.#part = part
      return rest.subarray(count)
    }
    this.#part = Buffer.alloc(0)
    this.#header = parseHeader(part)
    this.#state = 'length'
    return rest.subarray(count + 1)
  }

  /** Calls `take` when so many bytes are together. */
  #whole(rest: Buffer, count: number, take: (part: Buffer) => void): Buffer {
    const missing = count - this.#part.length
    const part = Buffer.concat([this.#part, rest.subarray(0, missing)])
    this.#part = part
    if (part.length === count) {
      this.#part = Buffer.alloc(0)
      take(part)
    }
    return rest.subarray(missing)
  }

  #block(length: number): void {
    const { size, hashed } = this.#header!
    if (length > MAX_BLOCK) throw protocol(`a block of ${length} bytes: the most is ${MAX_BLOCK}`)
    if (size !== undefined && this.#bytes + length > size)
      throw protocol(`the file was to have ${size} bytes, and has more`)
    if (length > 0) {
      this.#left = length
      this.#state = 'block'
      return
    }
    if (size !== undefined && this.#bytes < size)
      throw protocol(`the file was to have ${size} bytes, and ends after ${this.#bytes}`)
    this.#state = hashed ? 'digest' : 'done'
  }
}
