import { renameSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { Kernel } from '../kernel/kernel.js'
import { storeSocket } from '../wire/protocol.js'
import { serveStore } from './store-session.js'

/** The sockets of the simulated xenstored: one for each domain that has been asked for its own. */
export class StoreSockets {
  readonly #kernel: Kernel
  readonly #path: string
  readonly #servers = new Map<number, Server>()

  /** @param path the directory */
  constructor(kernel: Kernel, path: string) {
    this.#kernel = kernel
    this.#path = path
  }

  /**
   * A first use of the domain. That of one that was destroyed refuses whoever connects.
   * @param done is called when programs can connect
   */
  open(domid: number, done: () => void): void {
    const open = this.#servers.get(domid)
    if (open?.listening) done()
    else if (open !== undefined) open.once('listening', done)
    else if (this.#kernel.domains.exists(domid)) {
      this.#kernel.domains.running(domid, `opening the xenstore of domain ${domid}`)
      const { daemon } = this.#kernel.store
      const server = createServer((socket) => serveStore(daemon, domid, socket))
      this.#servers.set(domid, server)
      this.#listen(server, domid, done)
    } else {
      const server = createServer((socket) => socket.destroy())
      this.#listen(server, domid, () => server.close(done))
    }
  }

  /** The domain has been destroyed. Its socket stays there, and refuses whoever connects. */
  close(domid: number): void {
    this.#servers.get(domid)?.close()
    this.#servers.delete(domid)
  }

  /** It gets its name when it listens: whoever sees it can connect. Nor does Node remove it then when it closes. */
  #listen(server: Server, domid: number, done: () => void): void {
    const unnamed = join(this.#path, `new-${domid}`)
    server.listen(unnamed, () => {
      renameSync(unnamed, join(this.#path, storeSocket(domid)))
      done()
    })
  }
}
