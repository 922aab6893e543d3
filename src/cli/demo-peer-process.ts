import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath, URL } from 'node:url'

/** Where the peer is: in a simulated Xen, or on the real one, in the domain that this is. */
export type PeerPlace = { simulated: string; domid: number } | { simulated?: undefined; domid: number }

/** What a peer is told, one after the other. */
export type PeerRequest =
  | { kind: 'place'; place: PeerPlace }
  /** `size`: bytes of the pages that count; the last page is not full. */
  | { kind: 'check'; granter: number; refs: number[]; size: number }
  | { kind: 'stream'; server: number; name: string; socket: string; bytes: number }

/** What it answers to `check`. */
export interface CheckVerdict {
  pid: number
  pages: number
  sha256: string
  milliseconds: number
}

/** What it answers to `stream`. */
export interface StreamVerdict {
  file: { bytes: number; sha256: string | undefined; milliseconds: number }
  /** For so many bytes, from memory to nowhere. */
  stream: { milliseconds: number }
  socket: { milliseconds: number }
  /** The longest time that its event loop has been held meanwhile, in milliseconds. */
  longestDelay: number
}

type Answer = { verdict: unknown } | { error: string }

/** A separate process, which knows nothing of this one but what it is told. */
export class DemoPeer implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited: Promise<never>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the peer process ended without an answer (${signal ?? `exit code ${code}`})`)
    })
    // Told to those who ask it something.
    this.#exited.catch(() => {})
  }

  static async start(place: PeerPlace): Promise<DemoPeer> {
    const peer = new DemoPeer(fork(fileURLToPath(new URL('./demo-peer.js', import.meta.url))))
    await peer.#ask({ kind: 'place', place })
    return peer
  }

  /** Has it map the pages and hash what it sees. */
  check(granter: number, refs: Uint32Array, size: number): Promise<CheckVerdict> {
    return this.#ask({ kind: 'check', granter, refs: [...refs], size }) as Promise<CheckVerdict>
  }

  /** Has it receive a file from a service, and so many bytes from the service and from a Unix socket. */
  stream(request: { server: number; name: string; socket: string; bytes: number }): Promise<StreamVerdict> {
    return this.#ask({ kind: 'stream', ...request }) as Promise<StreamVerdict>
  }

  async #ask(request: PeerRequest): Promise<unknown> {
    const answered = once(this.#child, 'message') as Promise<[Answer]>
    this.#child.send(request)
    const [answer] = await Promise.race([answered, this.#exited])
    if ('error' in answer) throw new Error(`the peer process failed: ${answer.error}`)
    return answer.verdict
  }

  /** It closes what it has opened, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#exited.catch(() => {})
  }
}
