import { Buffer } from 'node:buffer'
import { GrantError } from '../../errors.js'

/**
 * What the two ends of a file transfer say to each other. The sender: a line of JSON, blocks (their length as u32,
 * little-endian, and so many bytes), a block of no length, and the SHA-256 of all if the line has promised it. Then the
 * receiver, once: a line of JSON.
 */
export interface FileHeader {
  /** For people: no path is ever made of it. At most 255 characters, of any kind. */
  name: string
  /** In bytes, undefined when the sender does not know. */
  size: number | undefined
  /** Whether the SHA-256 follows at the end. */
  hashed: boolean
}

export interface FileAnswer {
  /** Bytes of the file that have arrived. */
  bytes: number
  /** In hexadecimal, if the sender has sent its own. */
  sha256: string | undefined
  /** Why the file has not been kept. */
  error: string | undefined
}

/** The most that a line may have, its end included. */
export const MAX_LINE = 4096
/** The most that a block may have. */
export const MAX_BLOCK = 1 << 20
export const DIGEST_BYTES = 32
export const NEWLINE = 0x0a
const MAX_NAME = 255
const KIND = 'xen-grants file'
const VERSION = 1

export function encodeHeader({ name, size, hashed }: FileHeader): Buffer {
  return line({
    kind: KIND,
    version: VERSION,
    name: name.slice(0, MAX_NAME),
    ...(size !== undefined && { size }),
    ...(hashed && { hash: 'sha256' }),
  })
}

/** @param text a line without its end. @throws GrantError ERR_GRANTS_PROTOCOL */
export function parseHeader(text: Buffer): FileHeader {
  const { kind, version, name, size, hash } = object(text, 'the sender')
  if (kind !== KIND) throw protocol('what the other end offers is no file')
  if (version !== VERSION)
    throw protocol(`the sender uses version ${brief(version)} of the transfer, this end ${VERSION}`)
  if (typeof name !== 'string' || name.length > MAX_NAME) throw protocol('the file has no name')
  if (size !== undefined && !isCount(size)) throw protocol(`a file cannot have ${brief(size)} bytes`)
  if (hash !== undefined && hash !== 'sha256') throw protocol(`the sender hashes with ${brief(hash)}`)
  return { name, size, hashed: hash !== undefined }
}

export function encodeAnswer({ bytes, sha256, error }: FileAnswer): Buffer {
  return line({
    bytes,
    ...(sha256 !== undefined && { sha256 }),
    ...(error !== undefined && { error: error.slice(0, MAX_NAME) }),
  })
}

/** @param text a line without its end. @throws GrantError ERR_GRANTS_PROTOCOL */
export function parseAnswer(text: Buffer): FileAnswer {
  const { bytes, sha256, error } = object(text, 'the receiver')
  if (!isCount(bytes)) throw protocol('the receiver does not say what it has received')
  if (sha256 !== undefined && (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)))
    throw protocol('what the receiver says is no SHA-256')
  if (error !== undefined && (typeof error !== 'string' || error.length > MAX_NAME))
    throw protocol('what the receiver complains of is no text')
  return { bytes, sha256, error }
}

export function protocol(what: string): GrantError {
  return new GrantError('ERR_GRANTS_PROTOCOL', what)
}

/** Any character of another program's may be in it: JSON has none that steers a terminal, apart from those above ASCII. */
function brief(value: unknown): string {
  return JSON.stringify(value)
    .slice(0, 40)
    .replace(/[^ -~]/g, '?')
}

function line(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}

function object(text: Buffer, who: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text.toString('utf8'))
  } catch (cause) {
    throw new GrantError('ERR_GRANTS_PROTOCOL', `${who} does not speak the protocol of files`, { cause })
  }
  if (typeof value !== 'object' || value === null)
    throw protocol(`${who} does not speak the protocol of files`)
  return value as Record<string, unknown>
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
