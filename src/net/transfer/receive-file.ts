import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex, Writable } from 'node:stream'
import { pause } from '../../abort.js'
import { GrantError } from '../../errors.js'
import { encodeAnswer, type FileAnswer, type FileHeader, protocol } from './file-header.js'
import { FileParser } from './file-parser.js'
import { piecesOf } from './pieces.js'
import type { Transferred } from './send-file.js'

/** How long a sender may take to read what it is told at the end, in milliseconds. */
const ANSWER_GRACE = 5000

/** Where a file goes. */
export interface FileTarget {
  readonly output: Writable
  /** Ends the output. All that was written is where it is to be, also after a loss of power. */
  flush(): Promise<void>
  /** It is the file that was sent: it is kept. */
  commit(): Promise<void>
}

export interface ReceiveFileOptions {
  /** Called once, when the header has come. What it throws is told to the sender. */
  open(header: FileHeader): Promise<FileTarget>
  /** A file that has more is refused, in bytes. */
  maxBytes?: number | undefined
  /** Bytes that have arrived. */
  onProgress?: ((bytes: number) => void) | undefined
}

export interface Received extends Transferred {
  /** Whether the sender knows. */
  told: boolean
}

/**
 * Receives a file, and resolves when it has been kept and the sender has been told. It ends the stream; what it does with a
 * target that has not been kept is the caller's affair.
 *
 * @throws GrantError ERR_GRANTS_PROTOCOL: what comes is no file, not as long as it was to be, too large, or has another
 *   SHA-256 than the sender's; ECONNRESET: the sender has gone. What the stream and the target fail with
 */
export async function receiveFile(stream: Duplex, options: ReceiveFileOptions): Promise<Received> {
  const parser = new FileParser()
  try {
    const { target, ...received } = await take(stream, parser, options)
    await target.commit()
    return { ...received, told: await tell(stream, { ...received, error: undefined }) }
  } catch (error) {
    await tell(stream, { bytes: parser.bytes, sha256: undefined, error: complaint(error) })
    throw error
  }
}

async function take(
  stream: Duplex,
  parser: FileParser,
  { open, maxBytes = Number.POSITIVE_INFINITY, onProgress }: ReceiveFileOptions,
): Promise<Transferred & { target: FileTarget }> {
  let target: FileTarget | undefined
  let failure: Error | undefined
  const hash = createHash('sha256')
  for await (const pieces of piecesOf(stream)) {
    for (const piece of pieces) {
      for (const bytes of parser.push(piece)) {
        if (!target) {
          target = await start(parser.header!)
          target.output.cork()
        }
        if (parser.bytes > maxBytes) throw tooLarge(maxBytes)
        target.output.write(bytes)
        if (parser.header!.hashed) hash.update(bytes)
      }
    }
    if (target) await pass(target.output)
    if (failure) throw failure
    onProgress?.(parser.bytes)
    if (parser.done) break
  }
  if (!parser.done)
    throw new GrantError('ECONNRESET', `the sender has gone after ${parser.bytes} bytes of the file`)
  target ??= await start(parser.header!)
  await target.flush()
  const sha256 = parser.header!.hashed ? hash.digest('hex') : undefined
  const theirs = parser.digest?.toString('hex')
  if (sha256 !== theirs)
    throw protocol(`the SHA-256 of what has arrived is ${sha256}, and that of what was sent ${theirs}`)
  return { bytes: parser.bytes, sha256, target }

  async function start(header: FileHeader): Promise<FileTarget> {
    if ((header.size ?? 0) > maxBytes) throw tooLarge(maxBytes)
    const opened = await open(header)
    // Between two writes as well.
    opened.output.on('error', (error) => {
      failure = error
    })
    return opened
  }
}

/** Has what has come at once written at once, and waits while too much is. */
async function pass(output: Writable): Promise<void> {
  output.uncork()
  if (output.writableNeedDrain) await once(output, 'drain')
  output.cork()
}

function tooLarge(maxBytes: number): GrantError {
  return protocol(`the file has more than the ${maxBytes} bytes that are taken`)
}

/** What goes wrong with the file here is not the sender's to read: there may be paths in it. */
function complaint(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ERR_GRANTS_PROTOCOL' ? message : `it could not be written${code ? ` [${code}]` : ''}`
}

/** Ends the stream with what the sender is to know. @returns whether it has taken it */
async function tell(stream: Duplex, said: FileAnswer): Promise<boolean> {
  if (stream.destroyed) return false
  const told = new Promise<boolean>((resolve) => {
    stream.once('error', () => resolve(false))
    // A vchan's end waits until the other end has taken everything.
    stream.end(encodeAnswer(said), () => resolve(stream.errored === null))
  })
  // What else the sender has written is not wanted, and is in the way of the end.
  stream.resume()
  const done = new AbortController()
  try {
    const late = pause(ANSWER_GRACE, done.signal).then(() => false)
    late.catch(() => {})
    return await Promise.race([told, late])
  } finally {
    done.abort()
    stream.destroy()
  }
}
