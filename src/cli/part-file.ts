import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { link, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import type { Writable } from 'node:stream'
import type { FileTarget } from '../net/transfer/receive-file.js'
import { openPipeToWrite } from './pipe.js'

/** What is written at once when there is more than that waiting, in bytes. */
const BUFFERED = 4 << 20

/** A target that has not been kept is removed. */
export interface Output extends FileTarget, AsyncDisposable {}

/**
 * Opens where a received file goes: '-' is standard output; what exists and is no file, such as a pipe, is written to; a file
 * gets its name when it has been kept, and has another in the same folder until then.
 * @param force replaces a file that exists
 * @param signal ends the waiting for the reader of a pipe
 * @throws Error: it exists; what opening it fails with; the signal's reason
 */
export async function openOutput(path: string, force: boolean, signal: AbortSignal): Promise<Output> {
  if (path === '-') return standardOutput()
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return undefined
  })
  if (found?.isFIFO()) return special(await openPipeToWrite(path, BUFFERED, signal))
  if (found && !found.isFile()) return special(await device(path))
  if (found && !force) throw exists(path)
  // A link stays one.
  const place = found ? await realpath(path) : path
  return PartFile.open(place, found !== undefined)
}

class PartFile implements Output {
  readonly output: WriteStream
  readonly #part: string
  readonly #path: string
  readonly #replaces: boolean

  private constructor(output: WriteStream, part: string, path: string, replaces: boolean) {
    this.output = output
    this.#part = part
    this.#path = path
    this.#replaces = replaces
  }

  static async open(path: string, replaces: boolean): Promise<PartFile> {
    const part = `${path}.${randomBytes(4).toString('hex')}.part`
    const output = createWriteStream(part, { flags: 'wx', highWaterMark: BUFFERED, flush: true })
    await once(output, 'open')
    return new PartFile(output, part, path, replaces)
  }

  flush(): Promise<void> {
    return ended(this.output)
  }

  async commit(): Promise<void> {
    if (this.#replaces) await rename(this.#part, this.#path)
    else await this.#name()
    const folder = await open(dirname(this.#path))
    await folder.sync().finally(() => folder.close())
  }

  /** Gives it its name, unless a file has come to have that meanwhile. */
  async #name(): Promise<void> {
    try {
      await link(this.#part, this.#path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') throw exists(this.#path)
      // There are file systems without links.
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
      await rename(this.#part, this.#path)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closed(this.output)
    await rm(this.#part, { force: true })
  }
}

async function device(path: string): Promise<WriteStream> {
  const output = createWriteStream(path, { highWaterMark: BUFFERED })
  await once(output, 'open')
  return output
}

function special(output: Writable): Output {
  return {
    output,
    flush: () => ended(output),
    commit: async () => {},
    [Symbol.asyncDispose]: () => closed(output),
  }
}

/** All is written, and the file is closed. */
async function ended(output: Writable): Promise<void> {
  if (output.errored) throw output.errored
  output.end()
  await once(output, 'close')
}

/** A write that is under way ends first. */
async function closed(output: Writable): Promise<void> {
  if (output.closed) return
  // Why it failed has been told.
  output.on('error', () => {}).destroy()
  await once(output, 'close')
}

function standardOutput(): Output {
  const output: Writable = process.stdout
  return {
    output,
    flush: () =>
      new Promise((resolve, reject) => {
        output.write('', (error) => (error ? reject(error) : resolve()))
        output.uncork()
      }),
    commit: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

function exists(path: string): Error {
  return new Error(`${path} exists: a transfer is not resumed. --force replaces it`)
}
