import type { Readable, Writable } from 'node:stream'
import type { URL } from 'node:url'
import type { FillResult } from '../fill/fill.js'
import type { ReadStreamOptions } from '../fill/read-stream.js'
import type { FillSource } from '../fill/source.js'
import type { WriteStreamOptions } from '../fill/stream.js'
import type { FillOptions, RunOptions } from './page-options.js'
import type { PagesWork } from './pages-work.js'

/** Pages this process shares with another domain: a view of them, and everything that writes into them. */
export abstract class SharedPages<Bytes = Uint8Array<SharedArrayBuffer>> {
  readonly pages: number
  readonly byteLength: number
  readonly #work: PagesWork

  /** @internal */
  constructor(work: PagesWork) {
    this.pages = work.pages
    this.byteLength = work.byteLength
    this.#work = work
  }

  /**
   * The pages, without copy: a view of a SharedArrayBuffer that holds exactly them. Empty as soon as they are being given
   * up. A view kept from before, in whatever thread or system call, then reads zeros, and what is written to it reaches nothing else.
   *
   * What the other domain may write to it is hostile: read once, check, then use, or {@link read} a copy. Posting it to
   * another thread shares it, but the pages do not wait for that thread when they are given up: `handle()` is for those
   * who want to be waited for.
   */
  get bytes(): Bytes {
    return this.#work.bytes as Bytes
  }

  /**
   * A copy of the pages, or of a part of them: it cannot change while it is looked at.
   * @throws RangeError; GrantError ERR_GRANTS_UNSHARED
   */
  read(options?: ReadStreamOptions): Uint8Array<ArrayBuffer> {
    return this.#work.read(options)
  }

  /**
   * Writes into the pages: on this thread when the source is small or in an ArrayBuffer, which no other thread can read,
   * without holding it longer than a millisecond; by all filler threads at once when it is large and in a
   * SharedArrayBuffer or a file. A source in memory that changes before this settles may be written as it was or as it is.
   *
   * @throws TypeError, RangeError for a source that makes no sense or does not fit, before anything is written
   * @throws GrantError ERR_GRANTS_UNSHARED, ERR_GRANTS_CLOSED, ERR_GRANTS_SHORT_READ, ERR_GRANTS_WORKER_DIED; a system
   * error of open or read. The grant is intact after a failure; bytes of the range may or may not have been written.
   */
  fill(source: FillSource, options?: FillOptions): Promise<FillResult> {
    return this.#work.fill(source, options)
  }

  /**
   * Runs a module of yours in the filler threads, over every slice of the grant. Its default export is a
   * {@link SliceFunction}.
   *
   * @param module file: URL or path of an ES module
   * @returns what it returned for each slice, in order
   * @throws what the module threw, with its code and fields; GrantError ERR_GRANTS_WORKER_DIED when its thread died
   */
  run<Result = unknown, Args = unknown>(module: URL | string, options?: RunOptions<Args>): Promise<Result[]> {
    return this.#work.run(module, options)
  }

  /** A Writable over the pages, for pipeline(). It does not keep the grant: once unshared it fails. */
  createWriteStream(options?: WriteStreamOptions): Writable {
    return this.#work.createWriteStream(options)
  }

  /** A Readable of copies of the pages. It does not keep them: once they are given up it fails. */
  createReadStream(options?: ReadStreamOptions): Readable {
    return this.#work.createReadStream(options)
  }
}
