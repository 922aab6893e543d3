import { renameSync, rmSync, writeFileSync } from 'node:fs'
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
   * A first use of the domain. For one that was destroyed a file is put there: whoever connects is refused.
   * @param done is called when programs can connect
   * @throws GrantError ESRCH: it has been destroyed
   */
  open(domid: number, done: () => void): void {
    const server = this.#servers.get(domid)
    if (server !== undefined) {
      if (server.listening) done()
      else server.once('listening', done)
      return
    }
    try {
      this.#kernel.domains.running(domid, `opening the xenstore of domain ${domid}`)
    } catch (error) {
      this.#refuse(domid)
      throw error
    }
    const { daemon } = this.#kernel.store
    const created = createServer((socket) => serveStore(daemon, domid, socket))
    this.#servers.set(domid, created)
    // It gets its name when it listens: whoever sees it can connect.
    const unnamed = join(this.#path, `new-${domid}`)
    created.listen(unnamed, () => {
      renameSync(unnamed, join(this.#path, storeSocket(domid)))
      done()
    })
  }

  /** The domain has been destroyed. */
  close(domid: number): void {
    const server = this.#servers.get(domid)
    if (server === undefined) return
    this.#servers.delete(domid)
    server.close()
    this.#refuse(domid)
  }

  #refuse(domid: number): void {
    const path = join(this.#path, storeSocket(domid))
    rmSync(path, { force: true })
    writeFileSync(path, '')
  }
}
