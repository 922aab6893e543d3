import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { GrantError } from '../../errors.js'
import {
  encodeHeader,
  type FileAnswer,
  type FileHeader,
  MAX_LINE,
  NEWLINE,
  parseAnswer,
  protocol,
} from './file-header.js'

/** What is sent. */
export interface FileSource {
  readonly name: string
  /** In bytes, undefined when it ends when it ends. */
  readonly size: number | undefined
  /** Fills a buffer from its beginning. @returns how many bytes: 0 at the end */
  read(into: Buffer): Promise<number>
}

export interface SendFileOptions {
  /** Whether both ends hash, and compare. */
  hash: boolean
  /** Bytes that the stream has taken. */
  onProgress?: ((bytes: number) => void) | undefined
}

export interface Transferred {
  bytes: number
  /** In hexadecimal, undefined when nothing was hashed. */
  sha256: string | undefined
}

/** So much is read, written and hashed in one step. */
const BLOCK = 1 << 20
const LENGTH_BYTES = 4
/** One is read, one is written, one waits to be. */
const BLOCKS = 3

/**
 * Sends a file, and resolves when the receiver says that it has it. The stream is the caller's to close.
 *
 * @throws Error: the receiver has not kept the file, has another SHA-256, or less. GrantError ERR_GRANTS_PROTOCOL, ECONNRESET;
 *   what the source and the stream fail with
 */
export async function sendFile(
  stream: Duplex,
  source: FileSource,
  options: SendFileOptions,
): Promise<Transferred> {
  const answer = readAnswer(stream)
  const sending = pump(stream, source, options)
  // One of them is told.
  sending.catch(() => {})
  answer.catch(() => {})
  const early = answer.then((said) => {
    mustBeKept(said)
    return sending
  })
  const sent = await Promise.race([early, sending]).catch(async (error: NodeJS.ErrnoException) => {
    // Why it takes no more is what it has said last, if it has.
    if (error.code === 'EPIPE') await answer.then(mustBeKept, () => {})
    throw error
  })
  const said = await answer
  mustBeKept(said)
  if (said.bytes !== sent.bytes)
    throw protocol(`${sent.bytes} bytes were sent, and the receiver says that it has ${said.bytes}`)
  if (said.sha256 !== sent.sha256)
    throw new Error(`the receiver has another SHA-256: ${said.sha256}, and not ${sent.sha256}`)
  return sent
}

async function pump(stream: Duplex, source: FileSource, options: SendFileOptions): Promise<Transferred> {
  const { name, size } = source
  const header: FileHeader = { name, size, hashed: options.hash }
  const hash = options.hash ? createHash('sha256') : undefined
  await write(stream, encodeHeader(header))
  const blocks = Array.from({ length: BLOCKS }, () => ({
    bytes: Buffer.allocUnsafe(LENGTH_BYTES + BLOCK),
    written: Promise.resolve(),
  }))
  let bytes = 0
  let taken = 0
  for (let i = 0; ; i++) {
    const block = blocks[i % BLOCKS]!
    await block.written
    const count = await source.read(block.bytes.subarray(LENGTH_BYTES))
    if (count === 0) break
    block.bytes.writeUInt32LE(count)
    block.written = write(stream, block.bytes.subarray(0, LENGTH_BYTES + count)).then(() => {
      taken += count
      options.onProgress?.(taken)
    })
    // Waited for before the block is used again, or at the end.
    block.written.catch(() => {})
    // While the other end takes it.
    hash?.update(block.bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + count))
    bytes += count
  }
  if (size !== undefined && bytes < size)
    throw new GrantError(
      'ERR_GRANTS_SHORT_READ',
      `${name} had ${size} bytes, and ended after ${bytes}: it was changed meanwhile`,
    )
  await Promise.all(blocks.map(({ written }) => written))
  const digest = hash?.digest()
  await write(stream, Buffer.concat([Buffer.alloc(LENGTH_BYTES), ...(digest ? [digest] : [])]))
  return { bytes, sha256: digest?.toString('hex') }
}

function write(stream: Duplex, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

function mustBeKept({ error }: FileAnswer): void {
  // It may contain anything.
  if (error !== undefined)
    throw new Error(`the receiver has not kept the file: ${error.replace(/[^ -~]/g, '?')}`)
}

/** @throws GrantError ECONNRESET: there was none */
async function readAnswer(stream: Duplex): Promise<FileAnswer> {
  const line = await new Promise<Buffer>((resolve, reject) => {
    let text: Buffer = Buffer.alloc(0)
    const settle = (work: () => void): void => {
      stream.off('data', take).off('error', fail).off('end', gone).off('close', gone)
      work()
    }
    const fail = (error: Error): void => settle(() => reject(error))
    const gone = (): void =>
      fail(
        new GrantError('ECONNRESET', 'the receiver has gone without a word: it need not have kept the file'),
      )
    const take = (chunk: Buffer): void => {
      const end = chunk.indexOf(NEWLINE)
      const count = end < 0 ? chunk.length : end
      if (text.length + count >= MAX_LINE) {
        fail(protocol('the answer of the receiver is too long'))
        return
      }
      text = Buffer.concat([text, chunk.subarray(0, count)])
      if (end >= 0) settle(() => resolve(text))
    }
    stream.on('data', take).once('error', fail).once('end', gone).once('close', gone)
    if (stream.destroyed) gone()
  })
  return parseAnswer(line)
}
