import { fstatSync, read } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { URL } from 'node:url'
import { promisify } from 'node:util'
import { checkInteger, checkOptions, invalidArgType, invalidArgValue, outOfRange } from '../arguments.js'
import { GrantError } from '../errors.js'

const readInto = promisify(read)

/** Where the bytes of a fill come from. */
export type FillSource =
  | ArrayBufferView
  | ArrayBuffer
  | SharedArrayBuffer
  | FileSource
  | ByteSource
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>

/** A file, read by the filler threads straight into the pages. */
export interface FileSource {
  /** A path, a file: URL, or the number of an open file descriptor, which stays the caller's to close. */
  file: string | URL | number
  /** Where in the file to begin, in bytes. Default 0. */
  position?: number | undefined
  /** How many bytes. Default: up to the end of the file, also of one that has no size (in /proc). */
  length?: number | undefined
}

/** One value everywhere. */
export interface ByteSource {
  byte: number
}

export type CheckedSource =
  /** `handedOver`: an ArrayBuffer that nothing else refers to. */
  | { kind: 'memory'; bytes: Uint8Array; handedOver: boolean }
  | { kind: 'byte'; byte: number }
  | { kind: 'file'; file: string | URL | number; position: number; length: number | undefined }
  | { kind: 'stream'; chunks: AsyncIterable<unknown> }

export function checkSource(source: unknown): CheckedSource {
  if (ArrayBuffer.isView(source)) return memory(source.buffer, source.byteOffset, source.byteLength)
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer)
    return memory(source, 0, source.byteLength)
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) return stream(source as AsyncIterable<unknown>)
    if ('file' in source) return file(source)
    if ('byte' in source) {
      const { byte } = checkOptions<ByteSource>('source', source, ['byte'])
      checkInteger('source.byte', byte, 0, 255)
      return { kind: 'byte', byte }
    }
  }
  throw invalidArgType(
    'source',
    'an ArrayBuffer, SharedArrayBuffer, typed array, DataView, { file }, { byte }, Readable or async iterable',
    source,
  )
}

function memory(buffer: ArrayBufferLike, byteOffset: number, byteLength: number): CheckedSource {
  if ((buffer as { detached?: boolean }).detached || isDetached(buffer)) {
    throw invalidArgValue('source', 'is backed by a detached ArrayBuffer', buffer)
  }
  return { kind: 'memory', bytes: new Uint8Array(buffer, byteOffset, byteLength), handedOver: false }
}

/**
 * Takes an ArrayBuffer away from its owner, so that it can be passed on to a filler without a copy.
 * @throws TypeError when the source is no such memory, or cannot be detached
 */
export function takeOver(source: CheckedSource): CheckedSource {
  if (source.kind !== 'memory' || !(source.bytes.buffer instanceof ArrayBuffer))
    throw invalidArgValue('options.transfer', 'needs an ArrayBuffer, or a view of one, as the source', true)
  const { buffer, byteOffset, byteLength } = source.bytes
  let taken: ArrayBuffer
  try {
    taken = structuredClone(buffer, { transfer: [buffer] })
  } catch (cause) {
    const why = 'is backed by an ArrayBuffer that cannot be transferred'
    throw Object.assign(invalidArgValue('source', why, buffer), { cause })
  }
  return { kind: 'memory', bytes: new Uint8Array(taken, byteOffset, byteLength), handedOver: true }
}

/** Node 20 has no `detached`. A view over a detached buffer cannot be made. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}

function stream(source: AsyncIterable<unknown>): CheckedSource {
  if (source instanceof Readable && (source.readableObjectMode || source.readableEncoding)) {
    throw invalidArgValue('source', 'must be a stream of bytes, not of objects or of decoded text', source)
  }
  return { kind: 'stream', chunks: source }
}

function file(source: object): CheckedSource {
  const {
    file,
    position = 0,
    length,
  } = checkOptions<FileSource>('source', source, ['file', 'position', 'length'])
  if (typeof file === 'number') checkInteger('source.file', file, 0, 0x7fff_ffff)
  else if (typeof file !== 'string' && !(file instanceof URL)) {
    throw invalidArgType('source.file', 'a path, a file: URL or a file descriptor', file)
  }
  checkInteger('source.position', position, 0)
  if (length !== undefined) checkInteger('source.length', length, 0)
  return { kind: 'file', file, position, length }
}

/** Reads on libuv's threads. @throws GrantError ERR_GRANTS_SHORT_READ; the system error of read */
export async function readFile(fd: number, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await readInto(fd, into, done, into.length - done, position + done)
    if (bytesRead === 0) throw endedEarly(position + done, into.length - done)
    done += bytesRead
  }
}

export function endedEarly(position: number, missing: number): GrantError {
  return new GrantError(
    'ERR_GRANTS_SHORT_READ',
    `the file ended at byte ${position}, ${missing} bytes before the end of what was asked for`,
  )
}

/**
 * Reads what has no size of its own to its end.
 * @returns how many bytes that were
 * @throws RangeError when there are more than fit; the system error of read; the signal's reason
 */
export async function readToEnd(
  fd: number,
  into: Uint8Array,
  position: number,
  signal: AbortSignal,
): Promise<number> {
  for (let done = 0; ; ) {
    signal.throwIfAborted()
    const room = into.length - done
    const target = room > 0 ? into : new Uint8Array(1)
    const { bytesRead } = await readInto(fd, target, room > 0 ? done : 0, room || 1, position + done)
    if (bytesRead === 0) return done
    if (room === 0) throw outOfRange('source', `at most ${into.length} bytes long, the room there is`, 'more')
    done += bytesRead
  }
}

/** An open file and the part of it to read. `close` does nothing for a descriptor that is the caller's. */
export interface OpenFile {
  fd: number
  /** Undefined: the file has no size of its own, as those of /proc, and is to be read to its end. */
  length: number | undefined
  close(): Promise<void>
}

/** @throws the system error of open or fstat; RangeError when the file is shorter than what is asked for */
export async function openFile(source: Extract<CheckedSource, { kind: 'file' }>): Promise<OpenFile> {
  const handle: FileHandle | undefined =
    typeof source.file === 'number' ? undefined : await open(source.file, 'r')
  const fd = handle?.fd ?? (source.file as number)
  const close = async (): Promise<void> => handle?.close()
  try {
    return { fd, length: availableLength(fd, source), close }
  } catch (error) {
    await close()
    throw error
  }
}

function availableLength(
  fd: number,
  { file, position, length }: Extract<CheckedSource, { kind: 'file' }>,
): number | undefined {
  const stat = fstatSync(fd)
  const name = typeof file === 'number' ? `file descriptor ${file}` : String(file)
  if (stat.isDirectory()) {
    throw new GrantError('EISDIR', `cannot fill from ${name}: it is a directory`, {
      errno: -21,
      syscall: 'read',
    })
  }
  if (stat.isFIFO() || stat.isSocket()) {
    throw invalidArgValue('source.file', 'must be seekable: pass a pipe or socket as a stream', file)
  }
  if (!stat.isFile()) {
    if (length === undefined)
      throw invalidArgValue('source.length', `is needed: ${name} has no size of its own`, length)
    return length
  }
  // Empty, or made when it is read: only reading tells.
  if (stat.size === 0) return length
  if (position > stat.size)
    throw outOfRange('source.position', `<= ${stat.size}, the size of ${name}`, position)
  const available = stat.size - position
  if (length !== undefined && length > available) {
    throw outOfRange('source.length', `<= ${available}, what ${name} has from byte ${position} on`, length)
  }
  return length ?? available
}
