import type { MessagePort } from 'node:worker_threads'
import {
  type Grant,
  GrantClient,
  type GrantHandle,
  type GrantServer,
  type ShareOptions,
  type UnshareOptions,
} from 'xen-grants'
import { ClientThread } from '../setup/client-thread.js'

export interface Shared {
  handle: GrantHandle
  refs: Uint32Array
}

/** Somebody who uses the server: in this thread, or in one of its own. */
export interface Party {
  share(options: ShareOptions): Promise<Shared>
  attach(handle: GrantHandle): Promise<void>
  /** Every byte of a page. */
  write(id: number, page: number, byte: number): Promise<void>
  fill(id: number, byte: number): Promise<void>
  read(id: number, at: number): Promise<number | undefined>
  unshare(id: number, options: UnshareOptions): Promise<void>
  close(): Promise<void>
}

export class LocalParty implements Party {
  readonly grants = new Map<number, Grant>()
  /** Views of grants that may be gone: writing to them must do nothing then. */
  readonly views = new Map<number, Uint8Array>()

  constructor(readonly client: GrantClient | GrantServer) {}

  static async connected(port: MessagePort): Promise<LocalParty> {
    return new LocalParty(await GrantClient.connect(port, { fillers: { threads: 1 } }))
  }

  async share(options: ShareOptions): Promise<Shared> {
    const grant = await this.client.share(options)
    this.#keep(grant)
    return { handle: grant.handle(), refs: grant.refs }
  }

  async attach(handle: GrantHandle): Promise<void> {
    this.#keep(await this.client.attach(handle))
  }

  async write(id: number, page: number, byte: number): Promise<void> {
    this.grants.get(id)!.bytes.fill(byte, page * 4096, (page + 1) * 4096)
  }

  async fill(id: number, byte: number): Promise<void> {
    const grant = this.grants.get(id)!
    await grant.fill(new Uint8Array(grant.byteLength).fill(byte))
  }

  async read(id: number, at: number): Promise<number | undefined> {
    return this.grants.get(id)!.bytes[at]
  }

  unshare(id: number, options: UnshareOptions): Promise<void> {
    return this.grants.get(id)!.unshare(options)
  }

  /** A view anew, once an unshare has been given up. */
  look(id: number): void {
    this.views.set(id, this.grants.get(id)!.bytes)
  }

  close(): Promise<void> {
    return this.client.close()
  }

  #keep(grant: Grant): void {
    this.grants.set(grant.id, grant)
    this.views.set(grant.id, grant.bytes)
  }
}

export class ThreadParty implements Party {
  readonly #thread: ClientThread

  private constructor(thread: ClientThread) {
    this.#thread = thread
  }

  static async connected(port: MessagePort): Promise<ThreadParty> {
    return new ThreadParty(await ClientThread.connected(port))
  }

  async share(options: ShareOptions): Promise<Shared> {
    const { refs, ...handle } = await this.#thread.do('share', options)
    return { handle, refs }
  }

  async attach(handle: GrantHandle): Promise<void> {
    await this.#thread.do('attach', handle)
  }

  async write(id: number, page: number, byte: number): Promise<void> {
    await this.#thread.do('writePage', [id, page, byte])
  }

  async fill(id: number, byte: number): Promise<void> {
    await this.#thread.do('fill', [id, byte])
  }

  read(id: number, at: number): Promise<number | undefined> {
    return this.#thread.do('read', [id, at])
  }

  unshare(id: number, options: UnshareOptions): Promise<void> {
    return this.#thread.do('unshare', [id, options])
  }

  async close(): Promise<void> {
    await this.die()
  }

  die(): Promise<void> {
    return this.#thread.end('terminate')
  }
}
