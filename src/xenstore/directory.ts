import { Buffer } from 'node:buffer'
import { MessageType } from '../drivers/xenbus/wire.js'
import { type Caller, strings, stringsOf } from './caller.js'
import { protocolError, type Subject, XenStoreError } from './store-error.js'

/** Times a directory may change while its parts are read, before the reader is told so. */
const RESTARTS = 100

/**
 * The names of the children of a node. When they take more than one message, xenstored refuses, and is asked for parts.
 * oxenstored knows no parts, and either sends a longer reply (socket) or refuses (device).
 */
export async function listChildren(
  caller: Caller,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const subject = { operation: 'list', path }
  try {
    const message = strings(path)
    return stringsOf(await caller.call({ subject, type: MessageType.directory, message, signal }), subject)
  } catch (error) {
    if (codeOf(error) !== 'E2BIG') throw error
    return await listParts(caller, subject, error, signal)
  }
}

async function listParts(
  caller: Caller,
  subject: Subject & { path: string },
  refused: unknown,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  for (let restarts = 0; restarts < RESTARTS; restarts++) {
    try {
      const names = await tryParts(caller, subject, signal)
      if (names) return names
    } catch (error) {
      throw codeOf(error) === 'ENOSYS' ? refused : error
    }
  }
  const message = `list ${JSON.stringify(subject.path)}: the directory has changed ${RESTARTS} times while it was read`
  throw new XenStoreError('EAGAIN', message, subject)
}

/** @returns undefined when the directory has changed between two parts */
async function tryParts(
  caller: Caller,
  subject: Subject & { path: string },
  signal: AbortSignal | undefined,
): Promise<string[] | undefined> {
  const parts: Buffer[] = []
  let generation: string | undefined
  let offset = 0
  for (;;) {
    const message = strings(subject.path, String(offset))
    const answer = await caller.call({ subject, type: MessageType.directoryPart, message, signal })
    const end = answer.indexOf(0)
    const names = answer.subarray(end + 1)
    if (end < 1 || names.at(-1) !== 0)
      throw protocolError('xenstored answers with no part of a directory', subject)
    const found = answer.toString('latin1', 0, end)
    if (generation !== undefined && found !== generation) return undefined
    generation = found
    // The last part ends with one NUL more than its names, and may have none.
    const last = names.length === 1 || names.at(-2) === 0
    parts.push(last ? names.subarray(0, -1) : names)
    if (last) return stringsOf(Buffer.concat(parts), subject)
    offset += names.length
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof XenStoreError ? error.code : undefined
}
