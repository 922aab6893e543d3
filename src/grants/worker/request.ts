import type { ClientSession } from './client-session.js'

/** One request of a client, decoded. Answered exactly once: at the end of the turn, or later if it has to wait. */
abstract class ClientRequest {
  #accepted = false

  constructor(
    readonly session: ClientSession,
    readonly id: number,
  ) {}

  /** From now on its id stands for it, until it is answered. */
  accept(): void {
    this.#accepted = true
    this.session.pending.add(this.id)
  }

  /** @param buffer what the answer brings, see `Reply` */
  complete(values: readonly number[] = [], buffer?: SharedArrayBuffer): void {
    this.#answered()
    this.session.answer(this.id, values, buffer)
  }

  fail(error: unknown): void {
    this.#answered()
    this.session.refuse(this.id, error)
  }

  /** The answer has to wait for something. */
  defer(): void {
    this.session.waiting.add(this.id)
  }

  #answered(): void {
    if (!this.#accepted) return
    this.session.pending.delete(this.id)
    this.session.waiting.delete(this.id)
  }
}

/** What is to be shared. */
export interface Wanted {
  domid: number
  pages: number
  writable: boolean
  /** Whether it may wait for pages. */
  wait: boolean
  /** A status page, see `ShareFlag`. */
  status: boolean
}

export class ShareRequest extends ClientRequest implements Wanted {
  readonly op = 'share'
  readonly domid: number
  readonly pages: number
  readonly writable: boolean
  readonly wait: boolean
  readonly status: boolean

  constructor(session: ClientSession, id: number, { domid, pages, writable, wait, status }: Wanted) {
    super(session, id)
    this.domid = domid
    this.pages = pages
    this.writable = writable
    this.wait = wait
    this.status = status
  }
}

export class UnshareRequest extends ClientRequest {
  readonly op = 'unshare'

  constructor(
    session: ClientSession,
    id: number,
    readonly grant: number,
    readonly force: boolean,
    readonly fireNotify: boolean,
  ) {
    super(session, id)
  }
}

/** What is asked of a grant without further arguments. */
export class GrantRequest extends ClientRequest {
  constructor(
    session: ClientSession,
    id: number,
    readonly op: 'attach' | 'detach' | 'request-unshare',
    readonly grant: number,
  ) {
    super(session, id)
  }
}

export class NotifyRequest extends ClientRequest {
  readonly op = 'set-unmap-notify'

  /** @param offset of the byte in the grant */
  constructor(
    session: ClientSession,
    id: number,
    readonly grant: number,
    readonly offset: number,
    readonly action: number,
    readonly port: number,
  ) {
    super(session, id)
  }
}

export class CancelRequest extends ClientRequest {
  readonly op = 'cancel'

  /** @param request id of the one to be withdrawn */
  constructor(
    session: ClientSession,
    id: number,
    readonly request: number,
  ) {
    super(session, id)
  }
}

export class DomainExistsRequest extends ClientRequest {
  readonly op = 'domain-exists'

  constructor(
    session: ClientSession,
    id: number,
    readonly domid: number,
  ) {
    super(session, id)
  }
}

export type Request =
  | ShareRequest
  | UnshareRequest
  | GrantRequest
  | NotifyRequest
  | CancelRequest
  | DomainExistsRequest
