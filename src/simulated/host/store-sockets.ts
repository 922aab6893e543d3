import { renameSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { Kernel } from '../kernel/kernel.js'
import { storeSocket } from '../wire/protocol.js'

/** The sockets of the simulated xenstored: one for each domain that has been asked for its own. */
export class StoreSockets {
  readonly #kernel: Kernel
  readonly #path: string
  /** Each from the moment it is asked for; resolves when programs can connect. */
  readonly #ready = new Map<number, Promise<void>>()
  readonly #servers = new Map<number, Server>()

  /** @param path the directory */
  constructor(kernel: Kernel, path: string) {
    this.#kernel = kernel
    this.#path = path
  }

  /**
   * A first use of the domain. The socket of one that was destroyed refuses whoever connects.
   * @param done is called when programs can connect
   */
  open(domid: number, done: () => void): void {
    const ready = this.#ready.get(domid) ?? this.#start(domid)
    this.#ready.set(domid, ready)
    void ready.then(done)
  }

  /** The domain has been destroyed. Its socket stays there, and refuses whoever connects. */
  close(domid: number): void {
    this.#servers.get(domid)?.close()
    this.#servers.delete(domid)
  }

  async #start(domid: number): Promise<void> {
    // Not with the rest of the host: it takes longer to load than many a program has use for a simulated Xen.
    const { serveStore, startXenstored } = await import('./store-session.js')
    if (!this.#kernel.domains.exists(domid)) {
      const server = createServer((socket) => socket.destroy())
      await this.#listen(server, domid)
      server.close()
      return
    }
    const daemon = this.#kernel.store.start(startXenstored)
    this.#kernel.domains.running(domid, `opening the xenstore of domain ${domid}`)
    const server = createServer((socket) => serveStore(daemon, domid, socket))
    this.#servers.set(domid, server)
    await this.#listen(server, domid)
  }

  /** It gets its name when it listens: whoever sees it can connect. Nor does Node remove it then when it closes. */
  #listen(server: Server, domid: number): Promise<void> {
    const unnamed = join(this.#path, `new-${domid}`)
    return new Promise((resolve) => {
      server.listen(unnamed, () => {
        renameSync(unnamed, join(this.#path, storeSocket(domid)))
        resolve()
      })
    })
  }
}
