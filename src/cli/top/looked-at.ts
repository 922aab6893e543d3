import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { monitorFolder, pidOf } from '../../monitor/place.js'
import { received, type Seen } from './received.js'

/** A snapshot has at most 200 streams and a count for each domain: what is longer is none. */
const MAX_ANSWER = 4 << 20

/** Milliseconds for an answer: a server that does not answer its process takes two seconds of them. */
const PATIENCE = 10_000

/** The socket of another process that has opened a monitor. */
export class LookedAt implements Disposable {
  readonly #socket: Socket
  #text = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error('the process does not answer')))
    // Told to whoever asks next.
    socket.on('error', () => {})
  }

  /** @throws Error ENOENT, ECONNREFUSED, EACCES */
  static async open(path: string): Promise<LookedAt> {
    const socket = connect(path)
    await once(socket, 'connect')
    return new LookedAt(socket)
  }

  /** @returns undefined when the process has ended, or closed its monitor */
  async ask(): Promise<Seen | undefined> {
    const socket = this.#socket
    if (!socket.writable) return undefined
    socket.write('\n')
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      this.#text += chunk
      if (this.#text.length > MAX_ANSWER) throw new Error('the answer is too long for a snapshot')
      const end = this.#text.indexOf('\n')
      if (end < 0) continue
      const line = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 1)
      return received(line)
    }
    return undefined
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

/**
 * The socket of a process of this user, or of the only one that has any. What killed processes have left is removed.
 * @throws Error when there is none, or several to choose from
 */
export async function findSocket(pid: number | undefined): Promise<string> {
  const found: { pid: number; path: string }[] = []
  for (const name of socketNames()) {
    const owner = pidOf(name)
    const path = join(monitorFolder(), name)
    if (owner !== undefined && (pid === undefined || owner === pid) && (await answers(path)))
      found.push({ pid: owner, path })
  }
  const [first, ...others] = found
  if (first === undefined) {
    const whose = pid === undefined ? 'no process of this user' : `process ${pid}`
    throw new Error(
      `${whose} can be looked at: it has to open a Monitor of 'xen-grants/monitor', see docs/top.md`,
    )
  }
  if (others.length === 0) return first.path
  const choices = found.map((one) => (pid === undefined ? one.pid : one.path)).join(', ')
  const how = pid === undefined ? 'say which process' : 'say which socket with --socket'
  throw new Error(`there are several to look at, ${how}: ${choices}`)
}

function socketNames(): string[] {
  try {
    return readdirSync(monitorFolder())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    // No process listens there any more. Another error is not ours to judge.
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') rmSync(path, { force: true })
    return false
  } finally {
    socket.destroy()
  }
}
