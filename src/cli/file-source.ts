import type { Buffer } from 'node:buffer'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'
import type { FileSource } from '../net/transfer/send-file.js'
import { openPipeToRead } from './pipe.js'

export interface OpenSource extends FileSource, AsyncDisposable {}

/** Opens what is sent. '-': standard input. @throws what opening it fails with */
export async function openSource(path: string): Promise<OpenSource> {
  if (path === '-') return streamed('standard input', process.stdin)
  const found = await stat(path)
  return found.isFIFO() ? streamed(basename(path), openPipeToRead(path)) : openFile(path)
}

async function openFile(path: string): Promise<OpenSource> {
  const handle = await open(path)
  try {
    const found = await handle.stat()
    if (found.isDirectory()) throw new Error(`${path} is a folder: send an archive of it`)
    // What has no size ends when it ends: a device. A file of /proc says 0 and has more.
    const size = found.isFile() && found.size > 0 ? found.size : undefined
    let left = size ?? Number.POSITIVE_INFINITY
    return {
      name: basename(path),
      size,
      read: async (into) => {
        // What is appended meanwhile is not sent.
        const { bytesRead } = await handle.read(into, 0, Math.min(into.length, left))
        left -= bytesRead
        return bytesRead
      },
      [Symbol.asyncDispose]: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

function streamed(name: string, input: Readable): OpenSource {
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let chunk: Buffer | undefined
  return {
    name,
    size: undefined,
    read: async (into) => {
      if (!chunk?.length) chunk = (await chunks.next()).value as Buffer | undefined
      if (chunk === undefined) return 0
      const count = chunk.copy(into)
      chunk = chunk.subarray(count)
      return count
    },
    // A writer that goes on must not keep this process alive.
    [Symbol.asyncDispose]: async () => void input.destroy(),
  }
}
