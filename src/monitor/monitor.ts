import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { chmodSync, linkSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { checkOptions, checkString, invalidArgType, outOfRange } from '../arguments.js'
import { makePrivateFolder } from '../private-folder.js'
import { answer, MAX_CONNECTIONS } from './answering.js'
import { monitorFolder, newSocketName } from './place.js'
import { type Monitored, Observer } from './snapshot.js'

export type { Monitored } from './snapshot.js'

/** What a {@link Monitor} shows, and where. */
export interface MonitorOptions {
  /** Whose figures are shown: servers and clients of this thread. Default: none, which leaves the streams. */
  servers?: Monitored | readonly Monitored[] | undefined
  /**
   * Where the socket is made, in a folder where it does not exist yet. At most 107 bytes, 87 for the folder. Default: a
   * name of its own in `$XDG_RUNTIME_DIR/xen-grants`, or in a folder in the temporary one that only this user may enter.
   */
  path?: string | undefined
}

/** A folder beside the socket, for the moment in which it is made: six characters come behind. */
const HIDDEN = '.xen-grants-'

/** sun_path of struct sockaddr_un, without its terminating zero, and what the folder makes it longer. */
const MAX_FOLDER_PATH = 107 - `/${HIDDEN}XXXXXX/s`.length

/**
 * Lets `xen-grants top` look at this process: a Unix socket that only this user may connect to, and that tells the figures of
 * servers and of the streams of this thread to whoever asks. Nothing can be changed through it.
 *
 * It does not keep the process alive. The socket is removed by close() and when the process exits; one that a killed process
 * has left is removed by the next `xen-grants top`.
 */
export class Monitor {
  /** The socket. */
  readonly path: string
  readonly #server: Server
  readonly #sockets: Set<Socket>
  readonly #observer: Observer
  readonly #remove: () => void

  private constructor(path: string, server: Server, sockets: Set<Socket>, observer: Observer) {
    this.path = path
    this.#server = server
    this.#sockets = sockets
    this.#observer = observer
    this.#remove = () => rmSync(path, { force: true })
    process.on('exit', this.#remove)
  }

  /**
   * @throws Error EEXIST: there is a file at `path`; ENOENT, EACCES: its folder is not there, or not writable. GrantError EACCES: the folder for sockets is another user's. TypeError
   *   or RangeError for bad options
   */
  static async open(options?: MonitorOptions): Promise<Monitor> {
    const { servers, path = ownPath } = checkMonitor(options)
    const where = typeof path === 'string' ? path : path()
    const observer = new Observer(servers)
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      answer(socket, () => observer.snapshot())
    })
    server.maxConnections = MAX_CONNECTIONS
    server.unref()
    try {
      await listenPrivately(server, where)
    } catch (error) {
      observer[Symbol.dispose]()
      server.close()
      throw error
    }
    return new Monitor(where, server, sockets, observer)
  }

  /** Disconnects whoever looks and removes the socket. */
  async close(): Promise<void> {
    process.off('exit', this.#remove)
    this.#observer[Symbol.dispose]()
    for (const socket of this.#sockets) socket.destroy()
    this.#remove()
    if (this.#server.listening) await new Promise((done) => this.#server.close(done))
  }

  /** For `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Where it is bound nobody else may enter: it gets its name when its mode is set, and replaces nothing. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const folder = mkdtempSync(join(dirname(path), HIDDEN))
  try {
    const bound = join(folder, 's')
    server.listen(bound)
    await once(server, 'listening')
    chmodSync(bound, 0o600)
    linkSync(bound, path)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function ownPath(): string {
  const folder = monitorFolder()
  makePrivateFolder(folder, 'pass options.path')
  return join(folder, newSocketName())
}

function checkMonitor(options: unknown): { servers: readonly Monitored[]; path?: string } {
  const { servers = [], path } = checkOptions<MonitorOptions>('options', options, ['servers', 'path'])
  const all: readonly unknown[] = Array.isArray(servers) ? [...servers] : [servers]
  for (const server of all) {
    if (typeof (server as Partial<Monitored> | null)?.stats !== 'function')
      throw invalidArgType('options.servers', 'a GrantServer, a GrantClient, or an array of them', server)
  }
  if (path === undefined) return { servers: all as Monitored[] }
  checkString('options.path', path)
  const where = resolve(path)
  if (Buffer.byteLength(dirname(where)) > MAX_FOLDER_PATH || Buffer.byteLength(where) > 107)
    throw outOfRange(
      'options.path',
      `short: at most ${MAX_FOLDER_PATH} bytes for its folder, 107 in all`,
      path,
    )
  return { servers: all as Monitored[], path: where }
}
